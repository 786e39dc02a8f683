#include "engine/caller_queue.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace apollo {
namespace {

using Ids = std::vector<SequenceId>;

class CallerQueueTest : public testing::Test {
 protected:
  void Add(SequenceId id, const std::string& caller, int cost,
           int lowness = 0) {
    Waiting& entry = entries_[id];
    entry.caller = &queue_.Join(caller, lowness);
    entry.rank = {lowness, id, id};
    queue_.Insert(*entry.caller, entry.rank, cost);
  }
  SequenceId Admit() {
    const SequenceId id = queue_.First().id;
    Admit(id);
    return id;
  }
  void Admit(SequenceId id) {
    Waiting& entry = entries_[id];
    queue_.Admit(*entry.caller, entry.rank);
    entry.runs = true;
  }
  void End(SequenceId id) {
    Waiting& entry = entries_[id];
    queue_.Erase(*entry.caller, entry.rank);
    if (entry.runs) queue_.Stop(*entry.caller, entry.rank.lowness);
    queue_.Leave(*entry.caller, entry.rank.lowness);
    entries_.erase(id);
  }
  // Moves a sequence to another level.
  void Move(SequenceId id, int lowness) {
    Waiting& entry = entries_[id];
    queue_.Erase(*entry.caller, entry.rank);
    queue_.Move(*entry.caller, entry.rank.lowness, lowness, entry.runs);
    entry.rank.lowness = lowness;
    if (!entry.runs) queue_.Insert(*entry.caller, entry.rank, 10);
  }
  Ids All() const {
    Ids ids;
    for (const SequenceRank& rank : queue_.First(100)) ids.push_back(rank.id);
    return ids;
  }

  struct Waiting {
    CallerQueue::Caller* caller = nullptr;
    SequenceRank rank;
    bool runs = false;
  };
  CallerQueue queue_;
  std::map<SequenceId, Waiting> entries_;
};

TEST_F(CallerQueueTest, OneCallerIsServedInRankOrder) {
  EXPECT_TRUE(queue_.empty());
  Add(2, "a", 5);
  Add(1, "a", 500);
  Add(3, "a", 5, -1);
  EXPECT_EQ(queue_.size(), 3u);
  EXPECT_EQ(All(), (Ids{3, 1, 2}));
  EXPECT_EQ(Admit(), 3u);
  EXPECT_EQ(Admit(), 1u);
  EXPECT_EQ(Admit(), 2u);
  EXPECT_TRUE(queue_.empty());
}

// A request of a higher level must not cost the caller its turn below.
TEST_F(CallerQueueTest, ALevelDoesNotLiftTheCountersOfAnother) {
  Add(1, "h", 1'000'000, -1);
  Admit();
  Add(2, "h", 5, -1);
  Add(3, "b", 5);
  Add(4, "c", 5);
  Add(5, "c", 5);
  EXPECT_EQ(All(), (Ids{2, 3, 4, 5}));
  Add(6, "b", 5, -1);
  End(6);
  EXPECT_EQ(All(), (Ids{2, 3, 4, 5})) << "b has waited all the time";
}

TEST_F(CallerQueueTest, BackgroundWorkCostsNoTurnsOfUrgentWork) {
  for (SequenceId id = 1; id <= 9; ++id) Add(id, "a", 1'000'000, 1);
  for (int i = 0; i < 5; ++i) Admit();
  queue_.Charge(*entries_[1].caller, 1, 1'000'000);
  for (SequenceId id = 11; id <= 13; ++id) Add(id, "b", 10);
  for (SequenceId id = 21; id <= 23; ++id) Add(id, "a", 10);
  EXPECT_EQ(queue_.First(6).size(), 6u);
  EXPECT_EQ(Admit(), 21u) << "a is the older caller";
  EXPECT_EQ(Admit(), 11u);
  EXPECT_EQ(Admit(), 22u);
  EXPECT_EQ(Admit(), 12u);
}

TEST_F(CallerQueueTest, RunningSequencesAreCountedByLevel) {
  for (SequenceId id = 1; id <= 3; ++id) {
    Add(id, "a", 10, static_cast<int>(id));
    Admit();
  }
  const CallerQueue::Caller& caller = *entries_[1].caller;
  EXPECT_EQ(caller.running(0), 0);
  EXPECT_EQ(caller.running(2), 2);
  EXPECT_EQ(caller.running(9), 3);
  Move(3, 0);
  EXPECT_EQ(caller.running(0), 1);
  EXPECT_EQ(caller.running(2), 3);
  End(1);
  EXPECT_EQ(caller.running(9), 2);
}

TEST_F(CallerQueueTest, ALevelThatHasEmptiedBeginsAnew) {
  Add(1, "a", 100, -1);
  Add(2, "a", 100);
  Admit();
  Add(3, "b", 10, -1);
  End(1);
  EXPECT_EQ(entries_[2].caller->served(-1), 100);
  End(3);
  EXPECT_EQ(entries_[2].caller->served(-1), 0);
  EXPECT_EQ(queue_.remembered(), 1u);
}

TEST_F(CallerQueueTest, CallersTakeTurnsByTokens) {
  for (SequenceId id = 1; id <= 4; ++id) Add(id, "long", 30);
  for (SequenceId id = 11; id <= 16; ++id) Add(id, "short", 10);
  const Ids expected = {1, 11, 12, 13, 2, 14, 15, 16, 3, 4};
  EXPECT_EQ(All(), expected);
  Ids ids;
  while (!queue_.empty()) ids.push_back(Admit());
  EXPECT_EQ(ids, expected);
}

TEST_F(CallerQueueTest, ChargesForAnswersCountAsWell) {
  Add(1, "a", 10);
  Add(2, "a", 10);
  Add(11, "b", 10);
  Add(12, "b", 10);
  EXPECT_EQ(Admit(), 1u);
  EXPECT_EQ(Admit(), 11u);
  queue_.Charge(*entries_[1].caller, 0, 1);
  EXPECT_EQ(All(), (Ids{12, 2}));
}

TEST_F(CallerQueueTest, TheListHasAsManyAsWantedFromTheBestLevels) {
  for (SequenceId id = 1; id <= 50; ++id) {
    Add(id, absl::StrCat("c", id % 7), 3, id % 3 == 0 ? 1 : 0);
  }
  const auto all = queue_.First(100);
  ASSERT_EQ(all.size(), 50u);
  for (std::size_t most = 0; most <= 50; ++most) {
    const auto some = queue_.First(most);
    EXPECT_EQ(some, std::vector<SequenceRank>(all.begin(), all.begin() + most));
  }
}

TEST_F(CallerQueueTest, ACallerThatComesLaterHasNoClaimForTheTimeBefore) {
  for (SequenceId id = 1; id <= 10; ++id) Add(id, "busy", 10);
  for (int i = 0; i < 5; ++i) Admit();
  for (SequenceId id = 11; id <= 20; ++id) Add(id, "new", 10);
  EXPECT_EQ(All(),
            (Ids{11, 6, 12, 7, 13, 8, 14, 9, 15, 10, 16, 17, 18, 19, 20}));
}

// A caller that was served much by another level must not be a standard for
// those that wait in this one, nor one that waits in vain elsewhere.
TEST_F(CallerQueueTest, CallersAreLiftedToThoseOfTheirLevel) {
  Add(1, "starved", 10, 5);
  for (SequenceId id = 2; id <= 11; ++id) Add(id, "busy", 10);
  for (int i = 0; i < 8; ++i) Admit();
  Add(12, "new", 10);
  Add(13, "new", 10);
  EXPECT_EQ(All(), (Ids{12, 10, 13, 11, 1}));
  // Nor does the starved one then shut out the others.
  Move(1, 0);
  Add(14, "starved", 10);
  EXPECT_EQ(All(), (Ids{1, 12, 10, 14, 13, 11}));
}

TEST_F(CallerQueueTest, APauseDoesNotClearACounter) {
  Add(1, "greedy", 100);
  Admit();
  Add(2, "other", 10);
  Add(3, "other", 10);
  End(1);
  EXPECT_EQ(queue_.callers(), 1);
  Add(4, "greedy", 10);
  EXPECT_EQ(queue_.callers(), 2);
  EXPECT_EQ(All(), (Ids{2, 3, 4}));
}

TEST_F(CallerQueueTest, ACallerIsForgottenOnceItsCounterSaysNothing) {
  Add(1, "idle", 100);
  Admit();
  for (SequenceId id = 2; id <= 40; ++id) Add(id, "busy", 10);
  End(1);
  for (int i = 0; i < 20; ++i) Admit();
  Add(41, "idle", 10);
  EXPECT_EQ(All().front(), 41u);
  EXPECT_EQ(entries_[41].caller->served(0), entries_[2].caller->served(0));
}

TEST_F(CallerQueueTest, IdleCallersAreBounded) {
  Add(1, "stays", 1);
  Add(2, "stays", 1);
  const int callers = static_cast<int>(CallerQueue::kMostIdle) + 100;
  for (int i = 0; i < callers; ++i) {
    const SequenceId id = 10 + i;
    Add(id, absl::StrCat("c", i), 10 + i);
    Admit(id);
    End(id);
  }
  EXPECT_EQ(queue_.callers(), 1);
  EXPECT_LE(queue_.remembered(), CallerQueue::kMostIdle + 1);
  // Those with the highest counters are remembered.
  Add(5, absl::StrCat("c", callers - 1), 1);
  EXPECT_EQ(entries_[5].caller->served(0), 10 + callers - 1);
  for (const SequenceId id : {1, 2, 5}) End(id);
  EXPECT_EQ(queue_.callers(), 0);
  EXPECT_EQ(queue_.remembered(), 0u);
}

}  // namespace
}  // namespace apollo
