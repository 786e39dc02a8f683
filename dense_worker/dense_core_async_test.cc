#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/rows_testing.h"
#include "dense_worker/dense_core_fixture.h"

namespace apollo {
namespace {

// A stage whose steps complete later, in any order.
class DenseCoreAsyncTest : public DenseCoreTest {
 protected:
  void StartLater(int blocks = 64) {
    StartAsync(blocks);
    LinkBoth();
  }
};

TEST_F(DenseCoreAsyncTest, StepsThatAreBeingComputedAreInFlight) {
  options_.scheduler.token_budget = 4;
  StartLater();
  const auto sink = Submit(1, Request(10, 1, 0));
  core_->Advance();
  EXPECT_TRUE(core_->HasWork());
  core_->Advance();
  EXPECT_FALSE(core_->HasWork());
  EXPECT_TRUE(first_->frames.empty());
  later_.Deliver(1);
  EXPECT_TRUE(first_->frames.empty());  // The first one goes first.
  EXPECT_FALSE(core_->HasWork());
  later_.Deliver(0);
  ASSERT_EQ(first_->frames.size(), 2u);
  Reply(Answer(first_->Take<StageStep>(), 5));
  Reply(Answer(first_->Take<StageStep>(), 5));
  core_->Advance();
  later_.Deliver(0);
  Reply(Answer(first_->Take<StageStep>(), 5));
  EXPECT_EQ(sink->text, "d>e1 0:5 end");
}

TEST_F(DenseCoreAsyncTest, ASequenceCancelledDuringAStepIsReleasedAfterIt) {
  StartLater();
  const auto cancelled = Submit(1, Request(10, 1, 0));
  const auto other = Submit(2, Request(10, 1, 0));
  core_->Advance();
  core_->Cancel(1);
  EXPECT_EQ(cancelled->code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(first_->frames.empty());
  EXPECT_EQ(Counters().used_blocks, 1);
  later_.Deliver(0);
  // A release before the rows would leave the sequence there forever.
  const auto step = first_->Take<StageStep>();
  EXPECT_EQ(step.sequences.size(), 2u);
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).sequence, 1u);
  Reply(Answer(step, 5));
  EXPECT_EQ(other->text, "d>e1 0:5 end");
}

TEST_F(DenseCoreAsyncTest, AWorkerLostDuringAStepGetsNothing) {
  StartLater();
  const auto lost = Submit(1, Request(10, 1, 0));
  const auto other = Submit(2, Request(10, 1, 5));
  core_->Advance();
  core_->LinkDown(kFirst);
  later_.Deliver(0);
  EXPECT_TRUE(first_->frames.empty());
  Reply(Answer(second_->Take<StageStep>(), 5), kSecond);
  EXPECT_EQ(other->text, "d>e2 0:5 end");
  // Its rows are replayed though they were never sent.
  second_->Take<ReleaseSequences>();
  core_->Advance();
  later_.Deliver(0);
  EXPECT_EQ(Counters().rows_replayed, 10);
  Reply(Answer(second_->Take<StageStep>(), 6), kSecond);
  EXPECT_EQ(lost->text, "d>e1 0:6 end");
}

TEST_F(DenseCoreAsyncTest, UnfinishedStepsAreDroppedAtTheEnd) {
  StartLater();
  const auto sink = Submit(1, Request(10, 1, 0));
  core_->Advance();
  core_.reset();
  EXPECT_EQ(sink->code(), absl::StatusCode::kUnavailable);
}

// Random mixes: sequences of both workers, few blocks, chunks, refusals,
// cancellation, steps that complete in any order and answers that arrive at any
// time. Each token depends on the row before it, so a wrong row anywhere gives
// other tokens than the sequence gives when it runs alone.
class DenseCoreMixTest : public DenseCoreAsyncTest {
 protected:
  // Answers like a worker whose tokens depend on the rows, and checks that the
  // rules of the link are followed.
  struct Worker {
    LinkId id;
    FakeLink* link;
    std::map<std::uint64_t, std::pair<std::uint32_t, int>>
        open;  // To position.
  };

  int Pick(int n) { return static_cast<int>(random_() % n); }

  void Handle(Worker& worker, int refusals) {
    Frame frame = std::move(worker.link->frames.front());
    worker.link->frames.pop_front();
    if (const auto* release = std::get_if<ReleaseSequences>(&frame.body)) {
      for (const auto& item : release->items) {
        const auto it = worker.open.find(item.sequence);
        if (it != worker.open.end() && it->second.first == item.attempt) {
          worker.open.erase(it);
        }
      }
      return;
    }
    const StageStep& step = std::get<StageStep>(frame.body);
    const std::vector<float> numbers = Numbers(frame.payload);
    StageResult result = Answer(step, 0);
    std::size_t row = 0;
    for (std::size_t i = 0; i < step.sequences.size(); ++i) {
      const SequenceRows& rows = step.sequences[i];
      auto& [attempt, next] = worker.open[rows.sequence];
      ASSERT_GE(rows.attempt, attempt);
      if (rows.attempt > attempt) attempt = rows.attempt, next = 0;
      ASSERT_EQ(rows.start.has_value(), rows.first_position == 0);
      row += rows.tokens.size();
      SequenceOutput& output = result.outputs[i];
      if (next < 0 || Pick(100) < refusals) {
        next = -1;  // The rest of this attempt is refused.
        output.sampled.reset();
        output.status = absl::AbortedError("no room");
        continue;
      }
      ASSERT_EQ(rows.first_position, next);
      next += static_cast<int>(rows.tokens.size());
      if (output.sampled) {
        output.sampled->token = static_cast<std::int32_t>(numbers.at(
                                    (row - 1) * TinyConfig().hidden_size)) %
                                256;
      }
    }
    Reply(result, worker.id);
  }

  // The tokens of each request when it runs alone.
  std::vector<std::string> Alone() {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      Clear();
      Start();
      LinkBoth();
      const auto sink = Submit(i + 1, requests_[i]);
      while (!sink->finished) {
        core_->Advance();
        for (Worker& worker : workers_) {
          while (!worker.link->frames.empty()) Handle(worker, 0);
        }
      }
      texts.push_back(sink->text);
    }
    return texts;
  }

  Worker& OtherThan(const Worker& worker) {
    return workers_[&worker == &workers_[0] ? 1 : 0];
  }
  // The worker is lost, and a new process of the same name is there at once.
  void Lose(Worker& worker) {
    SetReach(OtherThan(worker).id, kAll);
    core_->LinkDown(worker.id);
    worker.link->frames.clear();
    worker.open.clear();
    const WorkerInfo info = infos_[worker.id];
    worker.id += 2;
    Up(worker.id, info, worker.link == first_.get() ? first_ : second_);
    SetReach(worker.id, kAll);
  }
  // The worker hands its sequences over, and the other one takes them.
  void HandOver(Worker& worker) {
    SetReach(OtherThan(worker).id, kAll);
    infos_[worker.id].hand_over = true;
    SetReach(worker.id, {});
  }
  // One random failure.
  void Fail() {
    Worker& worker = workers_[Pick(2)];
    switch (Pick(3)) {
      case 0:
        return Lose(worker);
      case 1:
        return HandOver(worker);
      default:
        // Workers with frames that they have not handled are silent.
        Wait(options_.silent_after * 2);
    }
  }

  // One random event.
  void Turn() {
    if (failures_ && Pick(30) == 0) return Fail();
    const int kind = Pick(6);
    Worker& worker = workers_[Pick(2)];
    if (kind == 0 && sinks_.size() < requests_.size()) {
      sinks_.push_back(Submit(sinks_.size() + 1, requests_[sinks_.size()]));
    } else if (kind == 1 && !later_.empty()) {
      later_.Deliver(Pick(static_cast<int>(later_.size())));
    } else if (kind <= 3 && !worker.link->frames.empty()) {
      Handle(worker, 5);
    } else if (kind == 4 && Pick(40) == 0 && !sinks_.empty() &&
               cancelled_.size() < 3) {
      const int i = Pick(static_cast<int>(sinks_.size()));
      if (!sinks_[i]->finished) cancelled_.insert(i);
      core_->Cancel(i + 1);
    } else if (kind == 5) {
      Wait(absl::Milliseconds(10));
    } else if (core_->HasWork()) {
      core_->Advance();
    }
  }

  bool AllFinished() const {
    return sinks_.size() == requests_.size() &&
           std::all_of(sinks_.begin(), sinks_.end(),
                       [](const auto& sink) { return sink->finished; });
  }

  void ExpectNothingLeft() {
    while (!later_.empty()) later_.Deliver(0);
    for (Worker& worker : workers_) {
      while (!worker.link->frames.empty()) Handle(worker, 0);
      EXPECT_TRUE(worker.open.empty());
      EXPECT_FALSE(worker.link->closed);
    }
    EXPECT_EQ(Counters().used_blocks, 0);
    EXPECT_EQ(core_->sequences(), 0);
  }

  void MakeRequests() {
    for (int i = 0; i < 12; ++i) {
      requests_.push_back(Request(1 + i * 7 % 50, 1 + i * 5 % 13, i % 7));
      // Some share a prefix.
      if (i % 3 == 0) requests_[i].prompt[0] = 9;
      if (i % 4 == 0) requests_[i].prompt = Prompt(40);
    }
  }
  void Begin(int seed) {
    random_.seed(seed);
    options_.scheduler.token_budget = 1 + Pick(30);
    options_.steps_in_flight = 1 + Pick(3);
    options_.prefix_caching = Pick(3) > 0;
    options_.scheduler.overcommit = Pick(2);
    Clear();
    sinks_.clear();
    cancelled_.clear();
    workers_[0].id = kFirst;
    workers_[1].id = kSecond;
    for (Worker& worker : workers_) worker.open.clear();
    StartLater(6 + Pick(20));
  }

  std::mt19937 random_;
  std::vector<GenerationRequest> requests_;
  std::vector<std::shared_ptr<FakeSink>> sinks_;
  std::set<int> cancelled_;
  bool failures_ = false;
  Worker workers_[2] = {{kFirst, first_.get(), {}},
                        {kSecond, second_.get(), {}}};
};

TEST_F(DenseCoreMixTest, NoFailureChangesAToken) {
  MakeRequests();
  for (int i = 0; i < 12; ++i) {
    if (i % 5 == 0) requests_[i].priority = 1;
    if (i % 6 == 1) requests_[i].prompt_logprobs = 0;
  }
  const std::vector<std::string> alone = Alone();
  const auto tokens = [](const std::string& text) {
    return text.substr(text.find(' '));
  };
  std::int64_t moves = 0;
  for (int seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    failures_ = false;
    Begin(seed);
    failures_ = true;
    for (int turns = 0; !AllFinished(); ++turns) {
      ASSERT_LT(turns, 100000);
      Turn();
      if (HasFatalFailure()) return;
    }
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if (cancelled_.contains(static_cast<int>(i))) continue;
      EXPECT_EQ(tokens(sinks_[i]->text), tokens(alone[i])) << i;
      int scored = 0;
      for (const auto& piece : sinks_[i]->prompts) {
        scored += static_cast<int>(piece.tokens.size());
      }
      EXPECT_EQ(scored, i % 6 == 1 ? requests_[i].prompt.size() - 1 : 0) << i;
    }
    moves += Counters().moved_lost + Counters().moved_silent +
             Counters().moved_hand_over;
    ExpectNothingLeft();
  }
  EXPECT_GT(moves, 500);
}

TEST_F(DenseCoreMixTest, NoOrderChangesAToken) {
  MakeRequests();
  options_.pinning = Pinning::kStrict;  // The texts name the workers.
  const std::vector<std::string> alone = Alone();
  for (int seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Begin(seed);
    for (int turns = 0; !AllFinished(); ++turns) {
      ASSERT_LT(turns, 100000);
      Turn();
      if (HasFatalFailure()) return;
    }
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if (cancelled_.contains(static_cast<int>(i))) continue;
      EXPECT_EQ(sinks_[i]->text, alone[i]) << i;
    }
    ExpectNothingLeft();
  }
}

}  // namespace
}  // namespace apollo
