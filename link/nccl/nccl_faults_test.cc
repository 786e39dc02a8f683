// Tests that a link survives failures of NCCL: frames arrive in order, each
// once and bit for bit, by the device or inline; or the link ends and says why.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/rows_testing.h"
#include "link/nccl/nccl_pair.h"

namespace apollo {
namespace {

using Fault = FakeNccl::Fault;

Frame Numbered(std::uint64_t number) {
  return {ExpertRows{number, 1, 2},
          Rows::FromVector({static_cast<float>(number), 0.5f}, 2)};
}

constexpr std::size_t kRowBytes = 2 * sizeof(float);

// Expects frames with the numbers from 0 on, and their payloads.
void ExpectAll(const std::vector<Frame>& frames, std::size_t count) {
  ASSERT_EQ(frames.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(std::get<ExpertRows>(frames[i].body).ticket, i);
    EXPECT_EQ(Numbers(frames[i].payload),
              (std::vector<float>{static_cast<float>(i), 0.5f}));
  }
}

class FaultTest : public testing::Test {
 protected:
  void SendNumbers(int from, int to) {
    for (int i = from; i < to; ++i) pair_.link[0]->Send(Numbered(i));
  }
  InProcessNcclPair pair_;
};

TEST_F(FaultTest, WithoutFaultsAllTravelByNccl) {
  pair_.WaitForPaths();
  SendNumbers(0, 20);
  ExpectAll(pair_.at[1]->WaitForFrames(20), 20);
  EXPECT_EQ(pair_.handler[1]->by_device(), 20);
  pair_.paths.WaitForBytes(0, 20 * kRowBytes);
  EXPECT_EQ(pair_.paths.bytes(0, RowsPath::kCopy), 0u);
}

// A fault of the third operation, while five are under way.
class OperationFaultTest : public FaultTest,
                           public testing::WithParamInterface<Fault> {};

TEST_P(OperationFaultTest, NothingIsLostAndANewPathOpens) {
  pair_.WaitForPaths();
  pair_.nccl.Script(GetParam(), 2);
  SendNumbers(0, 5);
  pair_.nccl.WaitForFault();
  // Only deadlines notice these.
  if (GetParam() == Fault::kNeverEnds) pair_.Pass(absl::Seconds(6));
  if (GetParam() == Fault::kHangsInCall) {
    pair_.core[0]->Watch();
    pair_.clock.Pass(absl::Seconds(6));
    pair_.core[0]->Watch();
  }
  ExpectAll(pair_.at[1]->WaitForFrames(5), 5);
  pair_.paths.WaitFor(0, true, PathChange::kFailed);
  SendNumbers(5, 7);
  ExpectAll(pair_.at[1]->WaitForFrames(7), 7);
  EXPECT_GE(pair_.handler[1]->by_host(), 2);
  EXPECT_EQ(pair_.at[1]->times_closed(), 0u);

  const int by_device = pair_.handler[1]->by_device();
  pair_.Pass(absl::Minutes(1));
  pair_.paths.WaitFor(0, true, PathChange::kOpened, 2);
  SendNumbers(7, 9);
  ExpectAll(pair_.at[1]->WaitForFrames(9), 9);
  EXPECT_EQ(pair_.handler[1]->by_device(), by_device + 2);
  // Each row once, whatever became of it.
  pair_.paths.WaitForBytes(0, 9 * kRowBytes);
  EXPECT_GE(pair_.paths.bytes(0, RowsPath::kCopy), 2 * kRowBytes);
}

INSTANTIATE_TEST_SUITE_P(All, OperationFaultTest,
                         testing::Values(Fault::kDiesBefore, Fault::kDiesDuring,
                                         Fault::kDiesAfter, Fault::kNeverEnds,
                                         Fault::kHangsInCall));

TEST(NcclFaultsTest, WhileAPathCannotBeOpenedRowsTravelInline) {
  NcclPair pair;
  pair.nccl.Script(Fault::kInitFails);
  const auto [first, second] = MakeInProcessLink(pair.core[0], pair.core[1]);
  pair.core[0]->SetCarrier(first);
  pair.core[1]->SetCarrier(second);
  pair.SayHello();
  pair.nccl.WaitForFault();
  for (int i = 0; i < 3; ++i) pair.link[0]->Send(Numbered(i));
  ExpectAll(pair.at[1]->WaitForFrames(3), 3);
  pair.CloseAndWait();
}

struct Refusal {
  const char* name;
  DeviceTransport first, second;
};

class RefusalTest : public testing::TestWithParam<Refusal> {};

TEST_P(RefusalTest, RowsTravelInlineWithoutACommunicator) {
  NcclPairOptions options;
  options.transport[0] = GetParam().first;
  options.transport[1] = GetParam().second;
  InProcessNcclPair pair(options);
  for (int i = 0; i < 3; ++i) pair.link[0]->Send(Numbered(i));
  ExpectAll(pair.at[1]->WaitForFrames(3), 3);
  EXPECT_EQ(pair.handler[1]->by_host(), 3);
  EXPECT_EQ(pair.nccl.communicators_open(), 0);
  EXPECT_EQ(pair.nccl.memory_in_use(), 0u);
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusalTest,
    testing::Values(Refusal{"version", {22809, "h", "a"}, {23203, "h", "b"}},
                    Refusal{"host", {22809, "h", "a"}, {22809, "i", "b"}},
                    Refusal{"device", {22809, "h", "a"}, {22809, "h", "a"}},
                    Refusal{"none", {22809, "h", "a"}, {}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(NcclFaultsTest, TheEndOfTheCarrierEndsOperationsUnderWay) {
  InProcessNcclPair pair;
  pair.WaitForPaths();
  pair.nccl.Script(Fault::kNeverEnds);
  pair.link[0]->Send(Numbered(0));
  pair.nccl.WaitForFault();
  pair.link[1]->Close();
  EXPECT_TRUE(pair.at[1]->WaitForClosed().ok());
  EXPECT_FALSE(pair.at[0]->WaitForClosed().ok());
  EXPECT_TRUE(pair.at[1]->WaitForFrames(0).empty());
  // The threads abort what they hold.
  for (const auto& core : pair.core) core->Join();
  EXPECT_EQ(pair.nccl.communicators_open(), 0);
  EXPECT_EQ(pair.nccl.memory_in_use(), 0u);
}

TEST(NcclFaultsTest, FramesBehindOneThatWaitsForCreditKeepTheirOrder) {
  NcclPairOptions options;
  options.nccl_limits.ring_bytes = 4 * RingLayout::kAlignment;
  InProcessNcclPair pair(options);
  pair.WaitForPaths();
  // The receiver keeps the first four, which fill its ring.
  for (int i = 0; i < 6; ++i) pair.link[0]->Send(Numbered(i));
  pair.core[0]->Send({ExpertRows{6, 1, 2}, Rows::FromVector({6, 0.5f}, 2)});
  ExpectAll(pair.at[1]->WaitForFrames(4), 4);
  EXPECT_EQ(pair.handler[1]->by_device(), 4);
  pair.Pass(absl::Seconds(1));  // The others do not wait any longer.
  ExpectAll(pair.at[1]->WaitForFrames(7), 7);
  EXPECT_EQ(pair.handler[1]->by_device(), 4);
  EXPECT_EQ(pair.at[1]->times_closed(), 0u);
}

TEST(NcclFaultsTest, LargePayloadsTravelInline) {
  NcclPairOptions options;
  options.nccl_limits.ring_bytes = 4 * RingLayout::kAlignment;
  InProcessNcclPair pair(options);
  pair.WaitForPaths();
  pair.link[0]->Send({ExpertRows{0, 1, 2}, Rows::Host(1, 1000)});
  EXPECT_EQ(pair.at[1]->WaitForFrames(1)[0].payload.numbers(), 1000u);
  EXPECT_EQ(pair.handler[1]->by_host(), 1);
}

TEST(NcclFaultsTest, ReceivedRowsMayOutliveTheLink) {
  InProcessNcclPair pair;
  pair.WaitForPaths();
  pair.link[0]->Send(Numbered(3));
  pair.at[1]->WaitForFrames(1);
  pair.link[0]->Close();
  for (const auto& core : pair.core) core->Join();
  EXPECT_GT(pair.nccl.memory_in_use(), 0u);  // The recorder keeps the frame.
  pair.at[1]->Forget();
  EXPECT_EQ(pair.nccl.memory_in_use(), 0u);
}

}  // namespace
}  // namespace apollo
