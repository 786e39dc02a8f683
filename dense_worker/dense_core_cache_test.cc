#include <gtest/gtest.h>

#include "dense_worker/dense_core_fixture.h"
#include "sequence/prefix_hash.h"

namespace apollo {
namespace {

using absl::StatusCode;

TEST_F(DenseCoreTest, CachedRowsAreSentAndNotComputed) {
  Start();
  LinkOne();
  Submit(1, Request(40, 1));
  core_->Advance();
  std::vector<float> expected, payload;
  Reply(Answer(first_->Take<StageStep>(&expected), 5));
  first_->Take<ReleaseSequences>();
  EXPECT_EQ(Counters().used_blocks, 0);
  const auto sink = Submit(2, Request(40, 2));
  const DenseCounters first = Counters();
  core_->Advance();
  const auto step = first_->Take<StageStep>(&payload);
  EXPECT_EQ(sink->cached, 32);
  EXPECT_EQ(step.sequences.at(0).first_position, 0);
  EXPECT_EQ(step.sequences[0].tokens.size(), 40u);
  EXPECT_TRUE(step.sequences[0].sample);
  EXPECT_TRUE(payload == expected);
  EXPECT_EQ(Counters().steps - first.steps, 1);
  EXPECT_EQ(Counters().prompt_rows - first.prompt_rows, 8);
  EXPECT_EQ(Counters().decode_rows, 0);
  EXPECT_EQ(Counters().prefix_queries, 80);
  EXPECT_EQ(Counters().prefix_hits, 32);
  Reply(Answer(step, 5));
  Round(6);
  EXPECT_EQ(sink->text, "d>e1 0:5 1:6 end");
  first_->Take<ReleaseSequences>();
  // Prefixes are shared only under the same salt.
  GenerationRequest salted = Request(40, 1);
  salted.cache_salt = "other";
  const auto other = Submit(3, salted);
  Round(5);
  first_->Take<ReleaseSequences>();
  EXPECT_EQ(other->cached, 0);
  // A fully cached prompt: the dense layers compute nothing.
  GenerationRequest whole = Request(40, 1);
  whole.prompt.resize(32);
  const auto all = Submit(4, whole);
  const DenseCounters before = Counters();
  core_->Advance();
  const auto last = first_->Take<StageStep>(&payload);
  EXPECT_EQ(all->cached, 32);
  EXPECT_EQ(Counters().steps - before.steps, 1);
  EXPECT_EQ(Counters().prompt_rows, before.prompt_rows);
  EXPECT_EQ(Counters().decode_rows, before.decode_rows);
  EXPECT_TRUE(payload == std::vector<float>(
                             expected.begin(),
                             expected.begin() + 32 * TinyConfig().hidden_size));
  Reply(Answer(last, 9));
  EXPECT_EQ(all->text, "d>e1 0:9 end");
}

TEST_F(DenseCoreTest, AnswersAreCachedToo) {
  Start();
  LinkOne();
  Submit(1, Request(20, 14));
  for (int i = 0; i < 14; ++i) Round(40 + i);
  first_->frames.clear();
  GenerationRequest next = Request(20, 1);
  for (int i = 0; i < 14; ++i) next.prompt.push_back(40 + i);
  const auto sink = Submit(2, next);
  Round(0);
  // The last token of the answer was never fed: 33 positions, two whole blocks.
  EXPECT_EQ(sink->cached, 32);
}

// Two callers with salts of their own: the prompt of one saves the other no
// row, so neither tokens nor times tell that it was there.
TEST_F(DenseCoreTest, APromptOfOneCallerSavesAnotherNothing) {
  struct Cost {
    std::int64_t cached = 0;
    std::int64_t steps = 0, rows = 0, hits = 0;
    bool operator==(const Cost&) const = default;
  };
  SequenceId id = 0;
  const auto ask = [&](const std::string& caller) {
    GenerationRequest request = Request(40, 1);
    request.caller = caller;
    request.cache_salt = "tenant:" + caller;
    const DenseCounters before = Counters();
    const auto sink = Submit(++id, request);
    Round(5);
    first_->Take<ReleaseSequences>();
    EXPECT_EQ(sink->text, "d>e1 0:5 end");
    return Cost{sink->cached, Counters().steps - before.steps,
                Counters().prompt_rows - before.prompt_rows,
                Counters().prefix_hits - before.prefix_hits};
  };
  Start();
  LinkOne();
  const Cost cold = ask("b");
  EXPECT_EQ(cold, (Cost{0, 1, 40, 0}));
  Clear();
  Start();
  LinkOne();
  EXPECT_EQ(ask("a"), cold);
  EXPECT_EQ(ask("b"), cold);
  EXPECT_EQ(ask("a"), (Cost{32, 1, 8, 32}));
  EXPECT_EQ(ask("b"), (Cost{32, 1, 8, 32}));
}

TEST_F(DenseCoreTest, WithoutPrefixCachingNothingIsShared) {
  options_.prefix_caching = false;
  Start();
  LinkOne();
  for (const int id : {1, 2}) {
    const auto sink = Submit(id, Request(40, 1));
    Round(5);
    first_->Take<ReleaseSequences>();
    EXPECT_EQ(sink->cached, 0);
    EXPECT_EQ(Counters().steps, id);
    EXPECT_EQ(Counters().prompt_rows, 40 * id);
  }
}

TEST_F(DenseCoreTest, ConcurrentSequencesShareTheBlocksOfAPrompt) {
  Start();
  LinkOne();
  for (int id = 1; id <= 4; ++id) Submit(id, Request(40, 3));
  core_->Advance();
  Reply(Answer(first_->Take<StageStep>(), 5));
  core_->Advance();
  EXPECT_EQ(Counters().used_blocks, 2 + 4);
}

TEST_F(DenseCoreTest, BlocksThatBecomeSharedAdmitAWaitingSequence) {
  Start(6);
  LinkOne();
  for (int id = 1; id <= 2; ++id) Submit(id, Request(40, 3));
  const auto waiting = Submit(3, Request(20, 1));
  core_->Advance();
  EXPECT_EQ(waiting->text, "");
  EXPECT_TRUE(core_->HasWork());
  core_->Advance();
  EXPECT_EQ(waiting->text, "d>e1");
}

TEST_F(DenseCoreTest, PreemptionDoesNotChangeASequence) {
  for (const bool caching : {true, false}) {
    options_.prefix_caching = caching;
    Start(4);
    LinkOne();
    const auto older = Submit(1, Request(30, 20)),
               younger = Submit(2, Request(20, 20));
    std::string tokens;
    for (int i = 0; i < 20; ++i) absl::StrAppend(&tokens, " ", i, ":", 50 + i);
    // The boundary row of each position, as first sent.
    std::map<std::pair<std::uint64_t, int>, std::vector<float>> sent;
    std::map<std::uint64_t, std::uint32_t> attempts;
    int fed_again = 0;
    while (!older->finished || !younger->finished) {
      ASSERT_TRUE(core_->HasWork());
      core_->Advance();
      while (!first_->frames.empty()) {
        if (std::holds_alternative<ReleaseSequences>(
                first_->frames.front().body)) {
          first_->frames.pop_front();
          continue;
        }
        std::vector<float> payload;
        const auto step = first_->Take<StageStep>(&payload);
        StageResult result = Answer(step, 0);
        auto row = payload.begin();
        for (std::size_t s = 0; s < step.sequences.size(); ++s) {
          const SequenceRows& rows = step.sequences[s];
          EXPECT_GE(rows.attempt, attempts[rows.sequence]);
          attempts[rows.sequence] = rows.attempt;
          EXPECT_EQ(rows.start.has_value(), rows.first_position == 0);
          for (std::size_t r = 0; r < rows.tokens.size(); ++r) {
            const int position = rows.first_position + static_cast<int>(r);
            const std::vector<float> values(row,
                                            row + TinyConfig().hidden_size);
            row += TinyConfig().hidden_size;
            const auto [it, added] =
                sent.insert({{rows.sequence, position}, values});
            EXPECT_TRUE(it->second == values) << position;
            fed_again += !added;
          }
          if (rows.sample) {
            const int prompt = rows.sequence == 1 ? 30 : 20;
            result.outputs[s].sampled->token =
                50 + result.outputs[s].position + 1 - prompt;
          }
        }
        Reply(result);
      }
    }
    EXPECT_EQ(older->text, "d>e1" + tokens + " end");
    EXPECT_EQ(younger->text, "d>e1" + tokens + " end");
    EXPECT_GT(Counters().preemptions, 0);
    EXPECT_GT(fed_again, 0);
    EXPECT_EQ(attempts[1], 1u);
    EXPECT_GT(attempts[2], 1u);
    // Each position counts once.
    for (const auto& sink : {older, younger}) {
      const std::uint64_t positions = sink == older ? 49 : 39;
      EXPECT_EQ(sink->result.expert_use[0].tokens_by_expert[3], positions);
    }
    EXPECT_EQ(Counters().used_blocks, 0);
    Clear();
  }
}

TEST_F(DenseCoreTest, APreemptedScoreIsCompleteAndCountedOnce) {
  options_.scheduler.token_budget = 8;
  Start(4);
  LinkOne();
  GenerationRequest request = Request(30, 0);
  request.score_tokens = 29;
  request.priority = -1;
  const auto sink = Submit(1, request);
  Round(0);
  Round(0);
  const auto urgent = Submit(2, Request(40, 1));
  for (int i = 0; i < 5; ++i) {
    core_->Advance();
    if (i == 0) {
      EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).attempt, 1u);
    }
    Reply(Answer(first_->Take<StageStep>(), 7));
  }
  EXPECT_EQ(urgent->text, "d>e1 0:7 end");
  first_->Take<ReleaseSequences>();
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(sink->finished);
    EXPECT_EQ(Round(0).sequences.at(0).attempt, 2u);
  }
  ASSERT_EQ(sink->result.score_logprobs.size(), 29u);
  for (int i = 0; i < 29; ++i) {
    EXPECT_EQ(sink->result.score_logprobs[i],
              -static_cast<float>(request.prompt[i + 1]));
  }
}

TEST_F(DenseCoreTest, RowsFromTheCacheAreScoredToo) {
  Start();
  LinkOne();
  for (const int id : {1, 2}) {
    GenerationRequest request = Request(40, 1);
    request.prompt_logprobs = 0;
    const auto sink = Submit(id, request);
    Round(5);
    first_->Take<ReleaseSequences>();
    EXPECT_EQ(sink->cached, id == 1 ? 0 : 32);
    ASSERT_EQ(sink->prompts.size(), 1u);
    EXPECT_EQ(sink->prompts[0].index, 1);
    ASSERT_EQ(sink->prompts[0].tokens.size(), 39u);
    for (int i = 0; i < 39; ++i) {
      EXPECT_EQ(sink->prompts[0].tokens[i].token, request.prompt[i + 1]);
    }
  }
}

TEST_F(DenseCoreTest, AlternativesOfAStepFitIntoOneMessage) {
  options_.scheduler.token_budget = 20000;
  Start();
  LinkOne();
  GenerationRequest request = Request(4, 1);
  request.prompt_logprobs = 10;
  EXPECT_EQ(Submit(1, request)->code(), absl::StatusCode::kFailedPrecondition);
  request.prompt_logprobs = 9;
  EXPECT_FALSE(Submit(2, request)->finished);
}

TEST_F(DenseCoreTest, CachedPrefixesAreAnnouncedAtMostOnceASecond) {
  options_.model_hash = "m";
  Start();
  LinkOne();
  const auto chain = PrefixHasher("m", "").Chain(Prompt(40));
  EXPECT_EQ(core_->PrefixNews(clock_.now), std::vector<std::uint64_t>());
  Submit(1, Request(40, 1));
  Round(5);
  clock_.now += DenseCore::kPrefixPeriod - absl::Nanoseconds(1);
  EXPECT_EQ(core_->PrefixNews(clock_.now), std::nullopt);
  clock_.now += absl::Nanoseconds(1);
  EXPECT_EQ(core_->PrefixNews(clock_.now), chain);
  clock_.now += absl::Seconds(5);
  EXPECT_EQ(core_->PrefixNews(clock_.now), std::nullopt);  // Nothing is new.
}

TEST_F(DenseCoreTest, WithoutPrefixCachingNothingIsAnnounced) {
  options_.prefix_caching = false;
  Start();
  LinkOne();
  Submit(1, Request(40, 1));
  Round(5);
  EXPECT_EQ(core_->PrefixNews(clock_.now), std::nullopt);
}

}  // namespace
}  // namespace apollo
