// Peers whose answers are late: the sequences that do not need them go on.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <vector>

#include "expert_worker/core_fixture.h"

namespace apollo {
namespace {

INSTANTIATE_EXPERT_CORE_TEST();

// Longer than an answer may take before it is late.
const absl::Duration kLate = PeerExchange::kLatest + absl::Milliseconds(1);

// Two workers, of which the first has a step with a sequence of its own experts
// and one that needs the other worker.
class Late : public Two {
 public:
  Late() : Two(division().here, division().there) {}
  static const Division& division() {
    static const auto* const division = new Division;
    return *division;
  }
  static SequenceRows Local() { return RowsOf(division().local, 0, 1); }
  static SequenceRows Remote() { return RowsOf(division().remote, 0, 1); }

  // Lets the first worker wait for the other until the answer is late.
  void Wait() {
    low.Work();
    EXPECT_FALSE(low.peer->frames.empty());
    EXPECT_TRUE(low.dense->frames.empty()) << "not late yet";
    low.clock.now += kLate;
    low.Work();
  }
};

TEST_P(ExpertCoreTest, SequencesWithoutLateRowsGoOn) {
  Late two;
  two.low.Take(Step(1, {Late::Remote(), Late::Local()}));
  two.Wait();
  const StageResult first = two.low.Result();
  EXPECT_EQ(first.step, 1u);
  EXPECT_TRUE(first.more);
  ASSERT_EQ(first.outputs.size(), 1u);
  ExpectSame(first.outputs[0], ReferenceOf(Late::Local()));
  EXPECT_EQ(two.low.Counters().batches_split, 1);
  two.Work();
  const StageResult second = two.low.Result();
  EXPECT_EQ(second.step, 1u);
  EXPECT_FALSE(second.more);
  ASSERT_EQ(second.outputs.size(), 1u);
  ExpectSame(second.outputs[0], ReferenceOf(Late::Remote()));
  EXPECT_FALSE(two.low.core->HasWork());
}

TEST_P(ExpertCoreTest, AWorkerThatTakesNoPartsGetsTheWholeAnswer) {
  Late two;
  WorkerInfo old = {WorkerRole::kDense, "old", "m", "1", {}};
  old.takes_parts = false;
  const auto link = std::make_shared<FakeLink>();
  constexpr LinkId kOld = 77;
  two.low.core->LinkUp(kOld, old, link);
  two.low.Take(Step(1, {Late::Remote(), Late::Local()}), kOld);
  two.Wait();
  EXPECT_EQ(two.low.Counters().batches_split, 0);
  // Nor does a later step overtake it.
  two.low.Take(Step(2, {RowsOf(Late::division().local, 1, 1)}), kOld);
  two.low.Work();
  EXPECT_TRUE(link->frames.empty());
  two.Work();
  const auto result = link->Take<StageResult>();
  EXPECT_EQ(result.step, 1u);
  EXPECT_FALSE(result.more);
  EXPECT_EQ(result.outputs.size(), 2u);
  EXPECT_EQ(link->Take<StageResult>().step, 2u);
}

TEST_P(ExpertCoreTest, FurtherStepsBeginButNotOfSequencesThatWait) {
  Late two;
  SequenceRows next = RowsOf(Late::division().remote, 1, 1);
  two.low.Take(Step(1, {Late::Remote()}));
  two.low.Work();
  // The answer may come soon: no other batch begins.
  two.low.Take(Step(2, {Late::Local()}), kOtherDense);
  two.low.Take(Step(2, {next, Late::Local()}));
  two.low.Work();
  EXPECT_TRUE(two.low.other->frames.empty());
  two.low.clock.now += kLate;
  two.low.Work();
  ExpectSame(two.low.other->Take<StageResult>().outputs.at(0),
             ReferenceOf(Late::Local()));
  const StageResult part = two.low.Result();
  EXPECT_EQ(part.step, 2u);
  EXPECT_TRUE(part.more);
  EXPECT_TRUE(two.low.dense->frames.empty());
  two.Work();
  const auto expected =
      Reference(Frames(Step(1, {Late::Remote()}), Step(2, {next})));
  ExpectSame(two.low.Result(), expected[0]);
  ExpectSame(two.low.Result(), expected[1]);
}

TEST_P(ExpertCoreTest, AnOlderSequenceWaitsForTheBlocksOfALateBatch) {
  const Division& division = Late::division();
  const auto frames = [&division] {
    return Frames(Step(1, {RowsOf(division.local, 0, 1)}),
                  Step(2, {RowsOf(division.remote, 0, 1)}),
                  Step(3, {RowsOf(division.local, 1, 16)}));
  };
  const auto expected = Reference(frames());
  std::vector<Frame> steps = frames();
  // A block of 16 tokens for each sequence; then the older one needs another.
  Two two(division.here, division.there, /*low_blocks=*/2);
  two.low.Take(std::move(steps[0]));
  two.low.Work();
  ExpectSame(two.low.Result(), expected[0]);
  two.low.Take(std::move(steps[1]));
  two.low.Work();
  ASSERT_FALSE(two.low.peer->frames.empty());
  two.low.clock.now += kLate;
  two.low.Take(std::move(steps[2]));
  two.low.Work();
  EXPECT_TRUE(two.low.dense->frames.empty()) << "it was evicted";
  two.Work();
  ExpectSame(two.low.Result(), expected[1]);
  ExpectSame(two.low.Result(), expected[2]);
  EXPECT_EQ(two.low.Counters().preemptions, 1);  // The younger one.
}

TEST_P(ExpertCoreTest, RowsDoNotOvertakeEarlierOnesOfTheirSequence) {
  // Of some sequence, only the second row needs the peer in the first layer.
  std::vector<StageResult> expected;
  std::set<int> here, there;
  std::uint64_t s = 0;
  while (there.empty() && ++s < 100) {
    expected = Reference(
        Frames(Step(1, {RowsOf(s, 0, 1)}), Step(2, {RowsOf(s, 1, 1)})));
    here.clear();
    const auto& first = expected[0].outputs.at(0).expert_use;
    const auto& second = expected[1].outputs.at(0).expert_use;
    for (std::size_t i = 0; i < first.size(); ++i) {
      if (first[i] > 0) here.insert(static_cast<int>(i % kAll.size()));
    }
    for (const int e : kAll) {
      if (second[e] == 0 || here.contains(e)) continue;
      std::set_difference(kAll.begin(), kAll.end(), here.begin(), here.end(),
                          std::inserter(there, there.end()));
      break;
    }
  }
  ASSERT_FALSE(there.empty());
  Two two(here, there);
  two.low.Take(Step(1, {RowsOf(s, 0, 1)}));
  two.low.Take(Step(2, {RowsOf(s, 1, 1)}));
  two.low.Work();
  two.low.clock.now += kLate;
  // The answer comes before the first row has gone on.
  if (two.low.core->HasWork()) two.low.core->Advance();
  while (!two.low.later.empty()) two.low.later.Deliver();
  two.Deliver();
  two.high.Work();
  two.Deliver();
  two.Work();
  ExpectSame(two.low.Result(), expected[0]);
  ExpectSame(two.low.Result(), expected[1]);
}

TEST_P(ExpertCoreTest, LateRowsThatAreLostFailAlone) {
  Late two;
  two.low.Take(Step(1, {Late::Local(), Late::Remote()}));
  two.Wait();
  EXPECT_TRUE(two.low.Result().outputs.at(0).status.ok());
  two.low.core->LinkDown(kPeer);
  two.low.Work();
  const StageResult lost = two.low.Result();
  ASSERT_EQ(lost.outputs.size(), 1u);
  EXPECT_TRUE(absl::IsUnavailable(lost.outputs[0].status));
  EXPECT_FALSE(two.low.core->HasWork());
}

TEST_P(ExpertCoreTest, ASequenceThatEndsWhileItsRowsAreLateIsClosedAfterwards) {
  Late two;
  two.low.Take(Step(1, {Late::Local(), Late::Remote()}));
  two.Wait();
  two.low.Release(Late::division().local);
  two.low.Release(Late::division().remote);
  EXPECT_EQ(two.low.core->sequences(), 1);
  two.Work();
  EXPECT_EQ(two.low.core->sequences(), 0);
  EXPECT_EQ(two.low.core->free_blocks(), 64);
}

}  // namespace
}  // namespace apollo
