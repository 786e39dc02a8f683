#include "tests/faults/streams/stream_driver.h"

#include <gtest/gtest.h>

#include "tests/faults/cluster/eventually.h"
#include "tests/faults/streams/transcript_testing.h"

namespace apollo {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(30);

// Gives each stream one token after the other while the gate is open.
class GatedClient final : public StreamClient {
 public:
  void Run(const StreamPlan& plan, absl::Duration deadline,
           Cancellation& cancellation, const Observer& observer,
           Transcript& transcript) override {
    transcript.Add(StartedEvent(), Now());
    for (int i = 0; i < 3; ++i) {
      const bool open = Eventually(deadline - Now(), [&] {
        return cancellation.cancelled() || IsOpen();
      });
      if (!open || cancellation.cancelled()) {
        transcript.End({grpc::StatusCode::CANCELLED, ""}, Now());
        return;
      }
      transcript.Add(DeltaEvent(0, i, {i}), Now());
      observer(transcript);
    }
    transcript.Add(FinishedEvent(0, 3), Now());
    transcript.End(plan.slot == 1 ? grpc::Status(grpc::StatusCode::INTERNAL, "")
                                  : grpc::Status::OK,
                   Now());
  }
  void Open(bool open) {
    MutexLock lock(mutex_);
    open_ = open;
  }

 private:
  bool IsOpen() {
    MutexLock lock(mutex_);
    return open_;
  }
  Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = true;
};

std::vector<StreamPlan> Plans(int count) {
  std::vector<StreamPlan> plans(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) plans[i].slot = i;
  return plans;
}

TEST(StreamDriverTest, RunsTheRoundsOfEachStreamUntilOneFails) {
  GatedClient client;
  StreamDriver driver(client, Plans(3), {.rounds = 4});
  int of[3] = {0, 0, 0};
  for (const Transcript& transcript : driver.Finish()) {
    ++of[transcript.slot];
    EXPECT_EQ(transcript.tokens(), 3);
  }
  EXPECT_EQ(of[0] > 0 && of[2] > 0, true);
  EXPECT_EQ(of[1], 1);
}

TEST(StreamDriverTest, WaitsForTokens) {
  GatedClient client;
  StreamDriver driver(client, Plans(1), {});
  EXPECT_TRUE(driver.WaitForTokens(100, kLimit));
  client.Open(false);
  EXPECT_FALSE(driver.WaitForTokens(1'000'000, absl::Milliseconds(1)));
  EXPECT_FALSE(driver.ended());
  client.Open(true);
  EXPECT_TRUE(driver.WaitForEach({}, kLimit));
}

TEST(StreamDriverTest, AStreamThatHasEndedDoesNotGoOn) {
  GatedClient client;
  StreamDriver driver(client, Plans(2), {});
  EXPECT_TRUE(driver.WaitForEach({0}, kLimit));
  // The second fails after its first request.
  while (driver.WaitForEach({1}, kLimit)) {
  }
  EXPECT_TRUE(driver.WaitForEach({0}, kLimit));
}

TEST(StreamDriverTest, CancelEndsOneStream) {
  GatedClient client;
  client.Open(false);
  StreamDriver driver(client, Plans(1), {});
  driver.Cancel(0);
  const std::vector<Transcript> transcripts = driver.Finish();
  ASSERT_EQ(transcripts.size(), 1u);
  EXPECT_EQ(transcripts[0].status->error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(driver.ended());
}

}  // namespace
}  // namespace apollo
