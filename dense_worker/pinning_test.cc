#include "dense_worker/pinning.h"

#include <gtest/gtest.h>

#include <vector>

namespace apollo {
namespace {

using Candidates = std::vector<PinningCandidate>;

std::optional<std::size_t> Choose(Pinning pinning, const Candidates& workers) {
  return ChoosePinned(pinning, /*has_family=*/true, workers);
}

// Gives sequences of `rows` rows each to the workers, one after another, and
// returns the number that each got.
std::vector<int> Place(Pinning pinning, Candidates workers, int sequences,
                       int rows) {
  for (int i = 0; i < sequences; ++i) {
    PinningCandidate& chosen = workers[*Choose(pinning, workers)];
    ++chosen.sequences;
    chosen.load += rows;
  }
  std::vector<int> counts;
  for (const PinningCandidate& worker : workers) {
    counts.push_back(worker.sequences);
  }
  return counts;
}

// The first of three workers has the expert of the family.
const Candidates kOneResident = {{.resident_layers = 2}, {}, {}};

TEST(PinningTest, ManySequencesOfOneLanguageSpread) {
  for (const int rows : {1, 2, 41, 500}) {
    const std::vector<int> counts =
        Place(Pinning::kPrefer, kOneResident, 32, rows);
    // Half of the rows, a floor, and the last sequence that passed the limit.
    EXPECT_GE(counts[0], 16) << rows;
    EXPECT_LE(counts[0], 16 + kSpillFloor + 1) << rows;
    EXPECT_GE(counts[1], 5) << rows;
    EXPECT_NEAR(counts[1], counts[2], 1) << rows;
  }
}

TEST(PinningTest, StrictNeverSpillsAndNoneIgnoresExperts) {
  EXPECT_EQ(Place(Pinning::kStrict, kOneResident, 32, 40),
            (std::vector<int>{32, 0, 0}));
  EXPECT_EQ(Place(Pinning::kNone, kOneResident, 33, 40),
            (std::vector<int>{11, 11, 11}));
}

TEST(PinningTest, AFewSequencesStayTogether) {
  EXPECT_EQ(Place(Pinning::kPrefer, kOneResident, 4, 1),
            (std::vector<int>{4, 0, 0}));
}

TEST(PinningTest, TheLimitIsExact) {
  // Mean 16, limit 28.
  Candidates workers = {
      {.resident_layers = 2, .load = 28}, {.load = 10}, {.load = 10}};
  EXPECT_EQ(Choose(Pinning::kPrefer, workers), 0u);
  // Mean 17, limit 29.5.
  workers[0].load = 31;
  EXPECT_EQ(Choose(Pinning::kPrefer, workers), 1u);
}

TEST(PinningTest, ASecondHolderComesBeforeOthers) {
  const Candidates workers = {{.resident_layers = 2, .load = 100},
                              {.load = 0},
                              {.resident_layers = 1, .load = 20}};
  EXPECT_EQ(Choose(Pinning::kPrefer, workers), 2u);
  EXPECT_EQ(Choose(Pinning::kStrict, workers), 0u);
}

TEST(PinningTest, BusyWorkersComeLastAndDoNotCountInTheMean) {
  Candidates workers = {{.resident_layers = 2, .load = 100},
                        {.load = 60},
                        {.busy = true, .load = 100000}};
  EXPECT_EQ(Choose(Pinning::kPrefer, workers), 0u);
  workers[0].busy = true;
  EXPECT_EQ(Choose(Pinning::kPrefer, workers), 1u);
  workers[1].busy = true;
  EXPECT_EQ(Choose(Pinning::kPrefer, workers), 0u);
  // Strictly pinned, a sequence waits rather than go elsewhere.
  workers[1].busy = false;
  EXPECT_EQ(Choose(Pinning::kStrict, workers), 0u);
}

TEST(PinningTest, NobodyMayHaveTheExpert) {
  const Candidates workers = {{.load = 2}, {.load = 1}};
  EXPECT_EQ(Choose(Pinning::kStrict, workers), std::nullopt);
  EXPECT_EQ(Choose(Pinning::kPrefer, workers), 1u);
  // Without a family there is nothing to pin.
  EXPECT_EQ(ChoosePinned(Pinning::kStrict, false, workers), 1u);
  EXPECT_EQ(ChoosePinned(Pinning::kStrict, false, {}), std::nullopt);
}

TEST(PinningTest, TiesAreBrokenInOrder) {
  Candidates workers = {{.load = 1, .sequences = 1, .tie_break = 9},
                        {.load = 1, .tie_break = 3},
                        {.load = 1, .tie_break = 4}};
  EXPECT_EQ(Choose(Pinning::kPrefer, workers), 2u);
  workers[0].load = 0;
  EXPECT_EQ(Choose(Pinning::kPrefer, workers), 0u);
}

TEST(PinningTest, Words) {
  EXPECT_EQ(*ParsePinning("strict"), Pinning::kStrict);
  EXPECT_EQ(*ParsePinning("prefer"), Pinning::kPrefer);
  EXPECT_EQ(*ParsePinning("none"), Pinning::kNone);
  EXPECT_EQ(ParsePinning("hard").status().message(),
            "--pinning is \"hard\"; it must be strict, prefer or none");
}

TEST(PinningTest, RowsThatAWorkerHoldsCountAgainstItsLoad) {
  std::vector<PinningCandidate> two(2);
  two[0] = {.load = 40, .held = 48, .tie_break = 1};
  two[1] = {.load = 0, .tie_break = 2};
  for (const Pinning pinning : {Pinning::kPrefer, Pinning::kNone}) {
    EXPECT_EQ(ChoosePinned(pinning, false, two, 60), 0u);
  }
  // It has more load than the limit, but not without what it saves.
  two[0].load = 50;
  EXPECT_EQ(ChoosePinned(Pinning::kPrefer, false, two, 60), 0u);
  two[0].load = 500;
  for (const Pinning pinning : {Pinning::kPrefer, Pinning::kNone}) {
    EXPECT_EQ(ChoosePinned(pinning, false, two, 60), 1u);
  }
}

TEST(PinningTest, AHolderWithMoreToDoThanToDoAgainIsLeft) {
  // What is held must not raise the limit of the worker that holds it: the
  // first token would come after 2,010 rows there, and after 1,010 elsewhere.
  std::vector<PinningCandidate> two(2);
  two[0] = {.load = 2000, .held = 1000, .tie_break = 2};
  two[1] = {.load = 0, .tie_break = 1};
  for (const Pinning pinning : {Pinning::kPrefer, Pinning::kNone}) {
    EXPECT_EQ(ChoosePinned(pinning, false, two, 1010), 1u);
  }
  two[0].load = 1000;
  EXPECT_EQ(ChoosePinned(Pinning::kPrefer, false, two, 1010), 0u);
  // One without load does not make the others overloaded.
  std::vector<PinningCandidate> three(3);
  three[0] = {.load = 0, .held = 1000};
  three[1] = {.resident_layers = 2, .load = 3};
  EXPECT_EQ(ChoosePinned(Pinning::kPrefer, true, three, 4000), 1u);
}

TEST(PinningTest, OneThatHoldsMostOfASequencePrecedesTheFamily) {
  std::vector<PinningCandidate> two(2);
  two[0] = {.held = 48, .tie_break = 1};
  two[1] = {.resident_layers = 2, .tie_break = 2};
  EXPECT_EQ(ChoosePinned(Pinning::kPrefer, true, two, 90), 0u);
  EXPECT_EQ(ChoosePinned(Pinning::kPrefer, true, two, 96), 1u);
  EXPECT_EQ(ChoosePinned(Pinning::kStrict, true, two, 90), 1u);
}

}  // namespace
}  // namespace apollo
