#include "link/nccl/hang_watch.h"

#include <gtest/gtest.h>

#include <functional>

namespace apollo {
namespace {

// A communicator whose calls run a step of the test.
class HangWatchTest : public testing::Test {
 protected:
  HangWatchTest() {
    NcclApi api;
    api.init_rank = [this](NcclComm** comm, const CommunicatorId&, int, int) {
      *comm = reinterpret_cast<NcclComm*>(this);  // NOLINT: only an address
      return NcclResult::kSuccess;
    };
    api.get_async_error = [this](NcclComm*, NcclResult* state) {
      during_call_();
      *state = NcclResult::kSuccess;
      return NcclResult::kSuccess;
    };
    api.abort = [this](NcclComm*) {
      ++aborts_;
      return NcclResult::kSuccess;
    };
    communicator_ =
        std::make_shared<Communicator>(std::make_shared<NcclApi>(api));
    EXPECT_TRUE(communicator_->Open({}, 0, 1).ok());
  }
  void Check(int second) {
    watch_.Check(communicator_, absl::Seconds(second), absl::Seconds(5));
  }

  int aborts_ = 0;
  std::function<void()> during_call_ = [] {};
  std::shared_ptr<Communicator> communicator_;
  HangWatch watch_;
};

TEST_F(HangWatchTest, BreaksOffOneCallThatStays) {
  during_call_ = [this] {
    Check(0);
    Check(5);
    EXPECT_EQ(aborts_, 0);
    Check(6);
    EXPECT_EQ(aborts_, 1);
  };
  EXPECT_EQ(communicator_->Poll().status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(communicator_->Poll().status().code(),
            absl::StatusCode::kCancelled);
  communicator_->Abort();
  EXPECT_EQ(aborts_, 1);
}

TEST_F(HangWatchTest, CallsThatReturnAreLeftAlone) {
  // Each is under way whenever the watch looks, and time leaps.
  int second = 0;
  during_call_ = [&] { Check(second); };
  for (second = 0; second < 100; second += 10) {
    EXPECT_TRUE(communicator_->Poll().ok()) << second;
  }
  // The first look after a leap proves nothing.
  during_call_ = [this] { Check(1000); };
  EXPECT_TRUE(communicator_->Poll().ok());
  EXPECT_EQ(aborts_, 0);
}

TEST_F(HangWatchTest, BetweenCallsThereIsNothingToAbort) {
  Check(0);
  Check(100);
  watch_.Check(nullptr, absl::Seconds(200), absl::Seconds(5));
  EXPECT_EQ(aborts_, 0);
  communicator_ = nullptr;
  EXPECT_EQ(aborts_, 1);  // When destroyed.
}

}  // namespace
}  // namespace apollo
