#include <absl/time/time.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/cache_size.h"
#include "engine/prefix_cache.h"
#include "engine/scheduler.h"

namespace apollo {
namespace {

using Step = Scheduler::Step;

// Random sequences around the scheduler, with a prefix cache. The simulation
// records the content of each block to check the rows reported as cached.
class Simulation {
 public:
  // With `shared`, there are several callers, and priorities age. Then the
  // order of admission is left to other tests.
  Simulation(int seed, bool shared) : random_(seed), shared_(shared) {
    options_.token_budget = 4 + Pick(60);
    options_.max_running = 1 + Pick(8);
    constexpr double kOvercommit[] = {0, 0, 1, 1.3};
    options_.overcommit = kOvercommit[seed % 4];
    if (shared) options_.ageing = absl::Seconds(10);
    pool_.emplace(kBlocks);
    cache_.emplace(*pool_);
    scheduler_.emplace(options_, *pool_, [this](SequenceId id) {
      return caching_ ? cache_->Find("", sequences_.at(id).tokens)
                      : BlockTable();
    });
    caching_ = Pick(4) > 0;
  }

  void Run() {
    int turns = 0;
    while (added_ < kSequences || !sequences_.empty()) {
      ASSERT_LT(++turns, 200000) << "no progress";
      if (shared_) scheduler_->SetTime(absl::Milliseconds(100) * turns);
      const int kind = Pick(10);
      if (kind < 2 && added_ < kSequences) {
        Add();
      } else if (kind < 6 && !pending_.empty()) {
        Answer();
      } else if (kind == 6 && !sequences_.empty() && Pick(100) == 0) {
        End(std::next(sequences_.begin(),
                      Pick(static_cast<int>(sequences_.size())))
                ->first);
      } else if (kind == 7 && Pick(10) == 0) {
        HoldOne();
      } else if (kind == 9 && Pick(10) == 0) {
        ReplayOne();
      } else if (kind == 8 && !held_.empty()) {
        scheduler_->Resume(*held_.begin());
        waiting_.insert(*held_.begin());
        held_.erase(held_.begin());
      } else {
        Next();
      }
      if (testing::Test::HasFatalFailure()) return;
      CheckBlocks();
      scheduler_->CheckCounts();
      // If nothing could happen any more, sequences would be stuck.
      ASSERT_TRUE(scheduler_->HasWork() || !pending_.empty() ||
                  !held_.empty() || sequences_.empty());
    }
    EXPECT_EQ(pool_->available(), kBlocks);
    EXPECT_EQ(finished_ + cancelled_, kSequences);
    EXPECT_GT(finished_, kSequences / 2);
  }

  int preemptions() const { return preemptions_; }
  int cached_rows() const { return cached_rows_; }
  int replays() const { return replays_; }

 private:
  static constexpr int kBlocks = 12, kSequences = 60;
  struct Sequence {
    std::vector<std::int32_t> tokens;
    int max_tokens = 0;
    int priority = 0;
    int fed = 0;
    int published = 0;
    int cached = 0;
  };

  int Pick(int n) { return static_cast<int>(random_() % n); }

  // By priority, then age.
  std::pair<int, SequenceId> Rank(SequenceId id) const {
    return {-sequences_.at(id).priority, id};
  }

  void Add() {
    Sequence sequence;
    const int prompt = 1 + Pick(100);
    for (int i = 0; i < prompt; ++i) {
      if (i % kBlockTokens == 0) beginning_ = Pick(2);
      sequence.tokens.push_back(beginning_);
    }
    sequence.max_tokens = std::min(prompt + Pick(80), kBlocks * kBlockTokens);
    sequence.priority = Pick(3) == 0 ? Pick(3) - 1 : 0;
    const SequenceId id = ++added_;
    const std::string caller(shared_ ? Pick(3) : 0, 'c');
    scheduler_->Add(id, prompt, sequence.max_tokens, sequence.priority, caller);
    sequences_[id] = std::move(sequence);
    waiting_.insert(id);
  }

  void End(SequenceId id) {
    const Sequence& sequence = sequences_.at(id);
    ++(static_cast<int>(sequence.tokens.size()) == sequence.max_tokens
           ? finished_
           : cancelled_);
    scheduler_->Remove(id);
    sequences_.erase(id);
    for (auto* set : {&waiting_, &held_, &running_, &pending_}) set->erase(id);
  }

  void Answer() {
    const SequenceId id =
        *std::next(pending_.begin(), Pick(static_cast<int>(pending_.size())));
    Sequence& sequence = sequences_.at(id);
    if (static_cast<int>(sequence.tokens.size()) == sequence.max_tokens) {
      End(id);
      return;
    }
    pending_.erase(id);
    sequence.tokens.push_back(Pick(2));
    scheduler_->TokenArrived(id);
  }

  void HoldOne() {
    if (running_.empty()) return;
    const SequenceId id = *running_.begin();
    scheduler_->Preempt(id, true);
    Stop(id);
    held_.insert(id);
  }

  void ReplayOne() {
    if (running_.empty()) return;
    const SequenceId id =
        *std::next(running_.begin(), Pick(static_cast<int>(running_.size())));
    scheduler_->Replay(id);
    Sequence& sequence = sequences_.at(id);
    sequence.cached = std::max(sequence.cached, sequence.fed);
    sequence.fed = 0;
    pending_.erase(id);
    ++replays_;
  }

  void Stop(SequenceId id) {
    Sequence& sequence = sequences_.at(id);
    sequence.fed = sequence.published = sequence.cached = 0;
    running_.erase(id);
    pending_.erase(id);
  }

  void Next() {
    const Step step = scheduler_->NextStep();
    const bool empty = step.slices.empty() && step.preempted.empty();
    if (empty) {
      ASSERT_FALSE(scheduler_->HasWork());
    }
    int rows = 0;
    for (const SequenceId id : step.preempted) {
      ASSERT_TRUE(running_.contains(id));
      Stop(id);
      waiting_.insert(id);
      ++preemptions_;
    }
    for (const auto& [id, cached] : step.admitted) {
      ASSERT_TRUE(waiting_.contains(id));
      for (const SequenceId other : waiting_) {
        ASSERT_TRUE(shared_ || Rank(id) <= Rank(other));
      }
      waiting_.erase(id);
      running_.insert(id);
      sequences_.at(id).cached = cached;
      sequences_.at(id).published = cached / kBlockTokens;
    }
    // A preempted sequence ranks below all that keep blocks.
    for (const SequenceId id : step.preempted) {
      if (shared_ || !waiting_.contains(id)) continue;
      for (const SequenceId other : running_) ASSERT_GT(Rank(id), Rank(other));
    }
    ASSERT_LE(static_cast<int>(running_.size()), options_.max_running);
    ASSERT_EQ(scheduler_->running(), static_cast<int>(running_.size()));
    std::set<SequenceId> seen;
    for (const Scheduler::Slice& slice : step.slices) {
      ASSERT_TRUE(running_.contains(slice.sequence));
      ASSERT_TRUE(seen.insert(slice.sequence).second);
      Sequence& sequence = sequences_.at(slice.sequence);
      BlockTable& blocks = scheduler_->blocks(slice.sequence);
      ASSERT_GE(slice.rows, 1);
      ASSERT_EQ(slice.first_position, sequence.fed);
      const int end = slice.first_position + slice.rows;
      ASSERT_LE(end, static_cast<int>(sequence.tokens.size()));
      ASSERT_GE(static_cast<int>(blocks.size()), BlocksFor(end));
      if (slice.replays) {
        ASSERT_EQ(slice.cached, slice.rows);
      }
      ASSERT_EQ(slice.cached,
                std::clamp(sequence.cached - sequence.fed, 0, slice.rows));
      ASSERT_EQ(slice.ends_prompt,
                end == static_cast<int>(sequence.tokens.size()));
      for (int p = slice.first_position; p < end; ++p) {
        const std::vector<std::int32_t> upto(sequence.tokens.begin(),
                                             sequence.tokens.begin() + p + 1);
        auto& slots = content_[blocks[p / kBlockTokens]];
        slots.resize(kBlockTokens);
        if (p < slice.first_position + slice.cached) {
          ASSERT_EQ(slots[p % kBlockTokens], upto)
              << "the cached rows hold other tokens";
          ++cached_rows_;
        } else {
          ASSERT_EQ(pool_->references(blocks[p / kBlockTokens]), 1)
              << "written while shared";
          slots[p % kBlockTokens] = upto;
        }
      }
      sequence.fed = end;
      rows += slice.rows;
      if (slice.ends_prompt) pending_.insert(slice.sequence);
    }
    ASSERT_LE(rows, options_.token_budget);
    if (!caching_) return;
    for (const Scheduler::Slice& slice : step.slices) {
      Sequence& sequence = sequences_.at(slice.sequence);
      for (; sequence.published < sequence.fed / kBlockTokens;
           ++sequence.published) {
        cache_->Publish("", sequence.tokens, scheduler_->blocks(slice.sequence),
                        sequence.published);
      }
    }
  }

  void CheckBlocks() {
    std::map<BlockId, int> uses;
    for (const SequenceId id : running_) {
      for (const BlockId block : scheduler_->blocks(id)) ++uses[block];
    }
    for (BlockId block = 0; block < kBlocks; ++block) {
      ASSERT_EQ(pool_->references(block),
                uses.contains(block) ? uses[block] : 0);
    }
    ASSERT_EQ(pool_->available(), kBlocks - static_cast<int>(uses.size()));
  }

  std::mt19937 random_;
  const bool shared_;
  Scheduler::Options options_;
  std::optional<BlockPool> pool_;
  std::optional<PrefixCache> cache_;
  std::optional<Scheduler> scheduler_;
  bool caching_ = false;
  int beginning_ = 0;
  std::map<SequenceId, Sequence> sequences_;
  std::set<SequenceId> waiting_, held_, running_, pending_;
  // The tokens up to each position, by block and slot.
  std::map<BlockId, std::vector<std::vector<std::int32_t>>> content_;
  int added_ = 0, finished_ = 0, cancelled_ = 0, preemptions_ = 0,
      cached_rows_ = 0, replays_ = 0;
};

TEST(SchedulerTest, RandomMixesKeepEveryRuleAndEveryoneIsDone) {
  int preemptions = 0, cached_rows = 0, replays = 0;
  for (int seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    Simulation simulation(seed, /*shared=*/seed >= 90);
    simulation.Run();
    if (HasFatalFailure()) return;
    preemptions += simulation.preemptions();
    cached_rows += simulation.cached_rows();
    replays += simulation.replays();
  }
  EXPECT_GT(preemptions, 1000);
  EXPECT_GT(cached_rows, 10000);
  EXPECT_GT(replays, 1000);
}

}  // namespace
}  // namespace apollo
