// Tests what a dense worker sends of sequences whose beginnings expert workers
// hold.
#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "dense_worker/dense_core_fixture.h"
#include "sequence/block_hash.h"

namespace apollo {
namespace {

class DenseCorePrefixesTest : public DenseCoreTest {
 protected:
  // Links a worker that keeps what it has computed.
  void LinkKeeper(LinkId id, std::shared_ptr<FakeLink> link,
                  const std::string& name = "e1") {
    WorkerInfo info = {WorkerRole::kExpert, name, "m", "1", kAll};
    info.keeps_prefixes = true;
    Up(id, info, std::move(link));
    SetReach(id, kAll);
  }
  void StartWithKeeper(int blocks = 64) {
    Start(blocks);
    LinkKeeper(kFirst, first_);
  }
  // Runs a sequence of one step to its end, and returns its rows.
  SequenceRows Run(SequenceId id, GenerationRequest request) {
    const auto sink = Submit(id, std::move(request));
    const StageStep step = Round(5);
    EXPECT_TRUE(sink->finished) << sink->text;
    first_->Take<ReleaseSequences>();
    EXPECT_EQ(step.sequences.size(), 1u);
    return step.sequences.at(0);
  }
  // Answers that the worker has only that many tokens.
  void Miss(const StageStep& step, int held) {
    StageResult result = Answer(step, 0);
    for (SequenceOutput& output : result.outputs) {
      output.sampled.reset();
      output.score_logprobs.clear();
      output.status = absl::NotFoundError("gone");
      output.held_tokens = held;
    }
    Reply(result);
  }
  StageStep Next(std::vector<float>* payload = nullptr) {
    core_->Advance();
    return first_->Take<StageStep>(payload);
  }
};

std::vector<BlockHash> HashesOf(const GenerationRequest& request) {
  BlockHashes hashes("", "", request);
  const auto all = hashes.Of(request.prompt);
  return {all.begin(), all.end()};
}

TEST_F(DenseCorePrefixesTest, RowsThatTheWorkerHoldsDoNotTravel) {
  StartWithKeeper();
  Submit(1, Request(40, 1));
  std::vector<float> all, rest;
  const StageStep whole = Next(&all);
  EXPECT_EQ(whole.sequences.at(0).first_position, 0);
  EXPECT_EQ(whole.sequences[0].block_hashes, HashesOf(Request(40, 1)));
  Reply(Answer(whole, 5));
  first_->Take<ReleaseSequences>();

  const auto sink = Submit(2, Request(40, 2));
  const StageStep step = Next(&rest);
  const SequenceRows& rows = step.sequences.at(0);
  EXPECT_EQ(sink->cached, 32);
  EXPECT_EQ(rows.first_position, 32);
  EXPECT_EQ(rows.tokens.size(), 8u);
  ASSERT_TRUE(rows.start.has_value());
  EXPECT_EQ(rows.start->prompt_tokens, 40);
  EXPECT_TRUE(rows.sample);
  EXPECT_EQ(rows.block_hashes, HashesOf(Request(40, 1)));
  EXPECT_TRUE(rest ==
              std::vector<float>(all.begin() + 32 * TinyConfig().hidden_size,
                                 all.end()));
  StageResult result = Answer(step, 5);
  SequenceOutput& output = result.outputs.at(0);
  output.held_expert_use.assign(output.expert_use.size(), 0);
  output.held_expert_use[3] = output.held_expert_use[9] = 32;
  output.held_off_family = {0, 32};
  Reply(result);
  const SequenceRows later = Round(6).sequences.at(0);
  EXPECT_EQ(later.first_position, 40);
  EXPECT_FALSE(later.start.has_value());
  EXPECT_EQ(sink->text, "d>e1 0:5 1:6 end");
  // All positions count for the request, and those computed in the cluster.
  for (const LayerUse& layer : sink->result.expert_use) {
    EXPECT_EQ(layer.tokens_by_expert[3] + layer.tokens_by_expert[2], 41u);
  }
  EXPECT_EQ(sink->result.expert_use.at(1).off_family_tokens, 41u);
}

TEST_F(DenseCorePrefixesTest, TheLastRowIsAlwaysComputed) {
  StartWithKeeper();
  GenerationRequest request = Request(40, 1);
  request.prompt.resize(32);
  Run(1, request);
  const SequenceRows again = Run(2, request);
  EXPECT_EQ(again.first_position, 16);
  EXPECT_EQ(again.block_hashes.size(), 2u);
}

TEST_F(DenseCorePrefixesTest, AnswersAreHeldToo) {
  StartWithKeeper();
  Submit(1, Request(20, 14));
  for (int i = 0; i < 14; ++i) Round(40 + i);
  first_->frames.clear();
  GenerationRequest next = Request(20, 1);
  for (int i = 0; i < 14; ++i) next.prompt.push_back(40 + i);
  EXPECT_EQ(Run(2, next).first_position, 32);
}

TEST_F(DenseCorePrefixesTest, BlocksAreNamedAsTheyBecomeFull) {
  options_.scheduler.token_budget = 20;
  StartWithKeeper();
  Submit(1, Request(40, 10));
  const auto all = HashesOf(Request(40, 1));
  EXPECT_EQ(Round(5).sequences.at(0).block_hashes,
            std::vector<BlockHash>{all[0]});
  EXPECT_EQ(Round(5).sequences.at(0).block_hashes,
            std::vector<BlockHash>{all[1]});
  for (int position = 40; position < 48; ++position) {
    EXPECT_EQ(Round(5).sequences.at(0).block_hashes.size(),
              position == 47 ? 1u : 0u);
  }
}

TEST_F(DenseCorePrefixesTest, AWrongBeliefCostsARoundTripAndNoRow) {
  StartWithKeeper();
  Run(1, Request(60, 1));
  const auto sink = Submit(2, Request(60, 1));
  const StageStep late = Next();
  EXPECT_EQ(late.sequences.at(0).first_position, 48);
  const DenseCounters before = Counters();
  Miss(late, 16);
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).attempt, 1u);
  const StageStep step = Next();
  EXPECT_EQ(step.sequences.at(0).attempt, 2u);
  EXPECT_EQ(step.sequences[0].first_position, 16);
  EXPECT_EQ(step.sequences[0].tokens.size(), 44u);
  EXPECT_TRUE(step.sequences[0].start.has_value());
  EXPECT_EQ(step.sequences[0].block_hashes.size(), 3u);
  EXPECT_EQ(Counters().prompt_rows, before.prompt_rows);
  Reply(Answer(step, 7));
  EXPECT_EQ(sink->text, "d>e1 0:7 end");
}

TEST_F(DenseCorePrefixesTest, AfterTwoWrongBeliefsAllRowsAreSent) {
  StartWithKeeper();
  Run(1, Request(60, 1));
  const auto sink = Submit(2, Request(60, 1));
  Miss(Next(), 32);
  first_->Take<ReleaseSequences>();
  const StageStep second = Next();
  EXPECT_EQ(second.sequences.at(0).first_position, 32);
  Miss(second, 16);
  first_->Take<ReleaseSequences>();
  const StageStep third = Next();
  EXPECT_EQ(third.sequences.at(0).first_position, 0);
  Reply(Answer(third, 7));
  EXPECT_EQ(sink->text, "d>e1 0:7 end");
  first_->Take<ReleaseSequences>();
  // What it has computed since is believed again.
  EXPECT_EQ(Run(3, Request(60, 1)).first_position, 48);
}

TEST_F(DenseCorePrefixesTest, LaterRowsOfAMissedAttemptAreForgotten) {
  options_.scheduler.token_budget = 6;
  StartWithKeeper();
  Submit(1, Request(40, 1));
  while (core_->HasWork()) Round(5);
  first_->frames.clear();
  const auto sink = Submit(2, Request(40, 1));
  const StageStep first = Next();
  const StageStep second = Next();
  EXPECT_EQ(first.sequences.at(0).first_position, 32);
  EXPECT_EQ(second.sequences.at(0).first_position, 38);
  // The answers may come in any order.
  Miss(second, 0);
  Miss(first, 0);
  first_->Take<ReleaseSequences>();
  int position = 0;
  while (!sink->finished) {
    const StageStep step = Round(7);
    EXPECT_EQ(step.sequences.at(0).attempt, 2u);
    EXPECT_EQ(step.sequences[0].first_position, position);
    position += static_cast<int>(step.sequences[0].tokens.size());
  }
  EXPECT_EQ(sink->text, "d>e1 0:7 end");
}

TEST_F(DenseCorePrefixesTest, NotFoundWithoutABeliefEndsTheSequence) {
  StartWithKeeper();
  const auto sink = Submit(1, Request(40, 1));
  Miss(Next(), 0);
  EXPECT_EQ(sink->code(), absl::StatusCode::kNotFound);
}

TEST_F(DenseCorePrefixesTest, AnOlderWorkerGetsAllRowsAndNoHashes) {
  Start();
  LinkOne();
  for (const SequenceId id : {1, 2}) {
    const SequenceRows rows = Run(id, Request(40, 1));
    EXPECT_EQ(rows.first_position, 0);
    EXPECT_TRUE(rows.block_hashes.empty());
  }
}

TEST_F(DenseCorePrefixesTest, WithoutPrefixCachingAllRowsTravelWithoutHashes) {
  options_.prefix_caching = false;
  StartWithKeeper();
  for (const SequenceId id : {1, 2}) {
    const SequenceRows rows = Run(id, Request(40, 1));
    EXPECT_EQ(rows.first_position, 0);
    EXPECT_TRUE(rows.block_hashes.empty());
  }
}

TEST_F(DenseCorePrefixesTest, TenantsAndPinnedFamiliesShareNothing) {
  StartWithKeeper();
  Run(1, Request(40, 1));
  GenerationRequest salted = Request(40, 1);
  salted.cache_salt = "tenant:b";
  EXPECT_EQ(Run(2, salted).first_position, 0);
  EXPECT_EQ(Run(3, salted).first_position, 32);
  // A free gate chooses the same for every family, a pinned expert does not.
  EXPECT_EQ(Run(4, Request(40, 1, 4)).first_position, 32);
  GenerationRequest pinned = Request(40, 1, 4);
  pinned.hybrid = true;
  EXPECT_EQ(Run(5, pinned).first_position, 0);
  pinned.family = 6;
  EXPECT_EQ(Run(6, pinned).first_position, 0);
  EXPECT_EQ(Run(7, pinned).first_position, 32);
}

TEST_F(DenseCorePrefixesTest, RowsForWhichSomethingIsAskedAreComputed) {
  StartWithKeeper();
  Run(1, Request(60, 1));
  GenerationRequest scored = Request(60, 0);
  scored.score_tokens = 20;
  // Its first target is token 40.
  EXPECT_EQ(Run(2, scored).first_position, 32);
  GenerationRequest logprobs = Request(60, 1);
  logprobs.prompt_logprobs = 0;
  EXPECT_EQ(Run(3, logprobs).first_position, 0);
  GenerationRequest resumed = Request(60, 1);
  resumed.answer_tokens = 30;
  EXPECT_EQ(Run(4, resumed).first_position, 48);
  // Penalties count the tokens of the answer.
  resumed.sampling.presence_penalty = 1;
  EXPECT_EQ(Run(5, resumed).first_position, 16);
}

TEST_F(DenseCorePrefixesTest, AMovedSequenceSkipsWhatItsNextWorkerHolds) {
  StartWithKeeper();
  // The second worker holds the first block of this prompt.
  GenerationRequest other = Request(40, 1);
  other.prompt.resize(20);
  LinkKeeper(kSecond, second_, "e2");
  SetReach(kFirst, {});
  Submit(1, other);
  core_->Advance();
  Reply(Answer(second_->Take<StageStep>(), 5), kSecond);
  second_->frames.clear();
  SetReach(kFirst, kAll);
  SetReach(kSecond, {});
  const auto sink = Submit(2, Request(40, 3));
  EXPECT_EQ(Round(6).sequences.at(0).first_position, 0);
  SetReach(kSecond, kAll);
  core_->LinkDown(kFirst);
  core_->Advance();
  const auto step = second_->Take<StageStep>();
  EXPECT_EQ(step.sequences.at(0).first_position, 16);
  EXPECT_EQ(step.sequences[0].attempt, 2u);
  EXPECT_TRUE(step.sequences[0].start.has_value());
  EXPECT_EQ(sink->text, "d>e1 0:6");
}

TEST_F(DenseCorePrefixesTest, ALinkThatHasEndedIsBelievedToHoldNothing) {
  StartWithKeeper();
  Run(1, Request(40, 1));
  core_->LinkDown(kFirst);
  LinkKeeper(kFirst + 100, first_);
  Submit(2, Request(40, 1));
  EXPECT_EQ(Next().sequences.at(0).first_position, 0);
}

TEST_F(DenseCorePrefixesTest, APreemptedSequenceSkipsWhatItsWorkerHolds) {
  StartWithKeeper(4);
  const auto low = Submit(1, Request(40, 20));
  EXPECT_EQ(Round(5).sequences.at(0).first_position, 0);
  GenerationRequest urgent = Request(30, 1);
  urgent.priority = 1;
  Submit(2, urgent);
  core_->Advance();
  first_->Take<ReleaseSequences>();
  Reply(Answer(first_->Take<StageStep>(), 7));
  first_->Take<ReleaseSequences>();
  const StageStep step = Next();
  const SequenceRows& rows = step.sequences.at(0);
  EXPECT_EQ(rows.sequence, 1u);
  EXPECT_EQ(rows.attempt, 2u);
  EXPECT_EQ(rows.first_position, 32);
  EXPECT_EQ(rows.first_position + static_cast<int>(rows.tokens.size()), 41);
  EXPECT_TRUE(rows.start.has_value());
  EXPECT_EQ(low->text, "d>e1 0:5");
}

TEST_F(DenseCorePrefixesTest, AWorkerThatHoldsAPromptIsPreferred) {
  Start();
  LinkKeeper(kFirst, first_, "e1");
  Run(1, Request(60, 1));
  LinkKeeper(kSecond, second_, "e2");
  for (SequenceId id = 2; id < 12; ++id) {
    EXPECT_EQ(Run(id, Request(60, 1)).first_position, 48);
  }
  EXPECT_TRUE(second_->frames.empty());
  // Unless its load is higher than that of the rows.
  SetQueued(kFirst, 2000);
  Submit(20, Request(60, 1));
  core_->Advance();
  EXPECT_EQ(second_->Take<StageStep>().sequences.at(0).first_position, 0);
}

}  // namespace
}  // namespace apollo
