#include "dense_worker/dense_core.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <climits>
#include <deque>
#include <map>

#include "common/fake_clock.h"
#include "common/rows_testing.h"
#include "engine/cpu/cpu_dense_stage.h"
#include "model/weights/open_model.h"

namespace apollo {
namespace {

using absl::StatusCode;

const OpenModel& Model() {
  static const OpenModel* const model =
      new OpenModel(*OpenModelDirectory("tests/golden/published"));
  return *model;
}
const ModelConfig& Config() { return Model().config; }

class FakeLink final : public Link {
 public:
  void Send(Frame frame) override { frames.push_back(std::move(frame)); }
  void Close() override { closed = true; }
  // The oldest frame that was not taken yet.
  template <typename T>
  T Take(std::vector<float>* payload = nullptr) {
    if (frames.empty() || !std::holds_alternative<T>(frames.front().body)) {
      ADD_FAILURE() << "not the frame that was expected";
      return {};
    }
    Frame frame = std::move(frames.front());
    frames.pop_front();
    if (payload != nullptr) *payload = Numbers(frame.payload);
    return std::get<T>(std::move(frame.body));
  }
  std::deque<Frame> frames;
  bool closed = false;
};

// A sequence's events as text.
class Sink final : public GenerationSink {
 public:
  void OnStarted(const GenerationStarted& s) override {
    EXPECT_TRUE(text.empty());
    text += s.dense_worker + ">" + s.expert_worker;
    cached = s.cached_tokens;
  }
  void OnToken(const GeneratedToken& t) override {
    EXPECT_FALSE(finished);
    EXPECT_EQ(t.logprob, -0.5f);
    text += absl::StrCat(" ", t.index, ":", t.token);
    for (const LayerUse& layer : t.expert_use) {
      absl::StrAppend(&text, "/", layer.layer, "=", layer.tokens_by_expert[3],
                      ",", layer.off_family_tokens);
    }
  }
  void OnFinished(absl::StatusOr<GenerationFinished> f) override {
    EXPECT_FALSE(finished) << "finished twice";
    finished = true;
    if (f.ok()) result = *f;
    status = f.status();
    text += f.ok() ? " end" : " error";
  }
  StatusCode code() const { return status.code(); }
  bool Says(const std::string& part) const {
    return std::string(status.message()).find(part) != std::string::npos;
  }
  std::string text;
  int cached = -1;
  bool finished = false;
  absl::Status status = absl::UnknownError("not finished");
  GenerationFinished result;
};

class Counts final : public DenseObserver {
 public:
  void OnStep(int decode, int prompt) override {
    steps.push_back({decode, prompt});
  }
  void OnSequences(int r, int w) override { running = r, waiting = w; }
  void OnCache(int used, int) override { used_blocks = used; }
  void OnRouted(const RoutedTokens& tokens) override {
    routed += absl::StrCat(std::string(tokens.language),
                           tokens.has_family ? "+" : "-", tokens.use[3], "/",
                           tokens.off_family[1], " ");
  }
  void OnPrefix(int tokens, int cached) override {
    queried += tokens, found += cached;
  }
  void OnPreemption() override { ++preemptions; }
  std::vector<std::pair<int, int>> steps;
  std::string routed;  // Language, family, uses of an expert, off family.
  int running = 0, waiting = 0, used_blocks = 0;
  int queried = 0, found = 0, preemptions = 0;
};

constexpr LinkId kFirst = 11, kSecond = 12;
const std::set<int> kAll = {0, 1, 2, 3, 4, 5, 6};

std::vector<std::int32_t> Prompt(int size) {
  std::vector<std::int32_t> prompt;
  for (int i = 0; i < size; ++i) prompt.push_back((i * 31 + size) % 256);
  return prompt;
}

GenerationRequest Request(int prompt, int max_new_tokens, int family = -1) {
  GenerationRequest request;
  request.prompt = Prompt(prompt);
  request.max_new_tokens = max_new_tokens;
  request.family = family;
  return request;
}

// What a correct expert worker answers, with the given token.
StageResult Answer(const StageStep& step, std::int32_t token) {
  StageResult result;
  result.step = step.step;
  for (const SequenceRows& rows : step.sequences) {
    SequenceOutput output;
    output.sequence = rows.sequence;
    output.attempt = rows.attempt;
    output.position =
        rows.first_position + static_cast<int>(rows.tokens.size()) - 1;
    if (rows.sample) output.sampled = TokenLogprob{token, -0.5f};
    for (const auto target : rows.score_targets) {
      output.score_logprobs.push_back(-static_cast<float>(target));
    }
    output.expert_use.assign(Config().num_sparse_layers() * 7, 0);
    output.expert_use[3] = output.expert_use[9] =
        static_cast<std::uint32_t>(rows.tokens.size());
    output.off_family = {0, output.expert_use[3]};
    result.outputs.push_back(std::move(output));
  }
  return result;
}

class DenseCoreTest : public testing::Test {
 protected:
  DenseCoreTest() { options_.name = "d"; }
  void Start(int blocks = 64) {
    const std::int64_t block_bytes = KvCache::BlockBytes(
        {Config().num_heads, Config().num_kv_heads, Config().head_size},
        Config().boundary, Config().hidden_size);
    core_ = std::make_unique<DenseCore>(
        options_,
        *CpuDenseStage::Load(Config(), *Model().weights, {block_bytes * blocks},
                             pool_, nullptr),
        counts_, clock_);
  }
  void LinkBoth() {
    core_->LinkUp(kFirst, {WorkerRole::kExpert, "e1", "m", "1", {0, 1, 2, 3}},
                  first_);
    core_->LinkUp(kSecond, {WorkerRole::kExpert, "e2", "m", "1", {4, 5, 6}},
                  second_);
    EXPECT_FALSE(core_->AllExpertsLive());  // They have not found each other.
    for (const LinkId id : {kFirst, kSecond}) SetReach(id, kAll);
    EXPECT_TRUE(core_->AllExpertsLive());
  }
  void SetReach(LinkId id, std::set<int> experts) {
    core_->LinkFrame(id, {Reach{std::move(experts)}, {}});
  }
  void LinkOne() {
    core_->LinkUp(kFirst, {WorkerRole::kExpert, "e1", "m", "1", kAll}, first_);
    SetReach(kFirst, kAll);
  }
  std::shared_ptr<Sink> Submit(SequenceId id, GenerationRequest request) {
    auto sink = std::make_shared<Sink>();
    core_->Submit(id, std::move(request), sink);
    return sink;
  }
  void Reply(const StageResult& result, LinkId from = kFirst) {
    core_->LinkFrame(from, {result, {}});
  }
  // Runs the next step and answers it with the token.
  StageStep Round(std::int32_t token) {
    core_->Advance();
    const auto step = first_->Take<StageStep>();
    Reply(Answer(step, token));
    return step;
  }

  DenseCore::Options options_;
  Counts counts_;
  FakeClock clock_;
  ThreadPool pool_{1};
  std::shared_ptr<FakeLink> first_ = std::make_shared<FakeLink>();
  std::shared_ptr<FakeLink> second_ = std::make_shared<FakeLink>();
  std::unique_ptr<DenseCore> core_;
};

TEST_F(DenseCoreTest, StartsGeneratesAndFinishes) {
  Start();
  LinkOne();
  GenerationRequest request = Request(5, 3, 6);
  request.hybrid = true;
  request.top_logprobs = 4;
  request.sampling.seed = 99;
  request.language = "sw";
  const auto sink = Submit(7, request);
  StageStep step = Round(100);
  EXPECT_EQ(sink->text, "d>e1 0:100");
  ASSERT_EQ(step.sequences.size(), 1u);
  EXPECT_EQ(step.sequences[0].sequence, 7u);
  EXPECT_EQ(step.sequences[0].tokens, request.prompt);
  EXPECT_TRUE(step.sequences[0].sample);
  ASSERT_TRUE(step.sequences[0].start.has_value());
  EXPECT_EQ(step.sequences[0].start->family, 6);
  EXPECT_TRUE(step.sequences[0].start->hybrid);
  EXPECT_EQ(step.sequences[0].start->top_logprobs, 4);
  EXPECT_EQ(step.sequences[0].start->prompt_tokens, 5);
  EXPECT_EQ(step.sequences[0].start->sampling.seed, 99u);
  EXPECT_EQ(step.sequences[0].start->language, "sw");
  step = Round(101);
  EXPECT_EQ(step.sequences[0].tokens, std::vector<std::int32_t>{100});
  EXPECT_EQ(step.sequences[0].first_position, 5);
  EXPECT_FALSE(step.sequences[0].start.has_value());
  EXPECT_GT(counts_.used_blocks, 0);
  Round(102);
  EXPECT_EQ(sink->text, "d>e1 0:100 1:101 2:102 end");
  EXPECT_EQ(sink->result.cause, FinishCause::kLength);
  ASSERT_EQ(sink->result.expert_use.size(), 2u);
  EXPECT_EQ(sink->result.expert_use[0].layer, Config().boundary);
  EXPECT_EQ(sink->result.expert_use[0].tokens_by_expert[3], 7u);
  EXPECT_EQ(sink->result.expert_use[1].tokens_by_expert[2], 7u);
  EXPECT_EQ(sink->result.expert_use[0].off_family_tokens, 0u);
  EXPECT_EQ(sink->result.expert_use[1].off_family_tokens, 7u);
  EXPECT_EQ(counts_.routed, "sw+5/5 sw+1/1 sw+1/1 ");
  const auto release = first_->Take<ReleaseSequences>();
  ASSERT_EQ(release.items.size(), 1u);
  EXPECT_EQ(release.items[0].sequence, 7u);
  EXPECT_EQ(release.items[0].attempt, step.sequences[0].attempt);
  EXPECT_EQ(counts_.steps,
            (std::vector<std::pair<int, int>>{{0, 5}, {1, 0}, {1, 0}}));
  EXPECT_EQ(counts_.used_blocks, 0);
  EXPECT_EQ(core_->sequences(), 0);
  EXPECT_FALSE(core_->HasWork());
}

TEST_F(DenseCoreTest, TokensCarryTheExpertUseSoFarIfAskedFor) {
  Start();
  LinkOne();
  GenerationRequest request = Request(5, 2);
  request.use_with_tokens = true;
  const auto sink = Submit(7, request);
  Round(100);
  Round(101);
  const int boundary = Config().boundary;
  EXPECT_EQ(sink->text, absl::StrCat("d>e1 0:100/", boundary, "=5,0/",
                                     boundary + 1, "=0,5 1:101/", boundary,
                                     "=6,0/", boundary + 1, "=0,6 end"));
}

TEST_F(DenseCoreTest, RowsOfASequenceThatIsOverAreCountedOnce) {
  Start();
  LinkOne();
  GenerationRequest request = Request(4, 5);
  request.language = "de";
  Submit(7, request);
  core_->Advance();
  const auto step = first_->Take<StageStep>();
  core_->Cancel(7);
  StageResult answer = Answer(step, 100);
  answer.outputs.push_back(answer.outputs[0]);  // As no correct worker does.
  answer.outputs.push_back(answer.outputs[0]);
  answer.outputs.back().sequence = 8;
  Reply(answer);
  EXPECT_EQ(counts_.routed, "de-4/4 ");
}

TEST_F(DenseCoreTest, EachWorkerGetsTheRowsOfItsSequences) {
  const auto alone = [this](SequenceId id, const GenerationRequest& request,
                            FakeLink& link) {
    Start();
    LinkBoth();
    Submit(id, request);
    core_->Advance();
    std::vector<float> payload;
    link.Take<StageStep>(&payload);
    first_->frames.clear();
    second_->frames.clear();
    core_.reset();
    first_->frames.clear();
    second_->frames.clear();
    return payload;
  };
  const auto expected_first = alone(1, Request(9, 2, 1), *first_);
  const auto expected_second = alone(2, Request(5, 2, 5), *second_);
  ASSERT_EQ(expected_first.size(), 9u * Config().hidden_size);
  ASSERT_EQ(expected_second.size(), 5u * Config().hidden_size);
  Start();
  LinkBoth();
  Submit(1, Request(9, 2, 1));
  Submit(2, Request(5, 2, 5));
  Submit(3, Request(3, 2, 5));
  core_->Advance();
  std::vector<float> payload;
  EXPECT_EQ(first_->Take<StageStep>(&payload).sequences.size(), 1u);
  EXPECT_TRUE(payload == expected_first);
  EXPECT_EQ(second_->Take<StageStep>(&payload).sequences.size(), 2u);
  ASSERT_EQ(payload.size(), 8u * Config().hidden_size);
  payload.resize(expected_second.size());
  EXPECT_TRUE(payload == expected_second);
}

TEST_F(DenseCoreTest, WithoutEveryExpertNothingStarts) {
  Start();
  EXPECT_FALSE(core_->AllExpertsLive());
  EXPECT_EQ(Submit(1, Request(3, 1))->code(), StatusCode::kUnavailable);
  core_->LinkUp(kFirst,
                {WorkerRole::kExpert, "e1", "m", "1", {0, 1, 2, 3, 5, 6}},
                first_);
  SetReach(kFirst, {0, 1, 2, 3, 5, 6});
  const auto sink = Submit(2, Request(3, 1));
  EXPECT_EQ(sink->text, " error");
  EXPECT_EQ(sink->code(), StatusCode::kUnavailable);
  EXPECT_TRUE(sink->Says("expert 4")) << sink->status;
  core_->LinkUp(kSecond, {WorkerRole::kExpert, "e2", "m", "1", {4}}, second_);
  EXPECT_FALSE(core_->AllExpertsLive());
  SetReach(kSecond, kAll);
  EXPECT_TRUE(core_->AllExpertsLive());
  EXPECT_FALSE(Submit(3, Request(3, 1))->finished);
}

TEST_F(DenseCoreTest, CancelFreesEverythingAndLateAnswersAreDropped) {
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(40, 5));
  const auto other = Submit(2, Request(4, 5));
  core_->Advance();
  const auto step = first_->Take<StageStep>();
  core_->Cancel(1);
  core_->Cancel(1);
  core_->Cancel(77);
  EXPECT_EQ(sink->text, "d>e1 error");
  EXPECT_EQ(sink->code(), StatusCode::kCancelled);
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).sequence, 1u);
  EXPECT_TRUE(first_->frames.empty());
  EXPECT_EQ(counts_.used_blocks, 1);
  Reply(Answer(step, 50));
  EXPECT_FALSE(first_->closed);
  EXPECT_EQ(sink->text, "d>e1 error");
  EXPECT_EQ(other->text, "d>e1 0:50");
}

TEST_F(DenseCoreTest, AtMostTwoStepsAreInFlight) {
  options_.scheduler.token_budget = 4;
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(19, 2));
  core_->Advance();
  ASSERT_TRUE(core_->HasWork());
  core_->Advance();
  EXPECT_FALSE(core_->HasWork());
  core_->Advance();  // Does nothing.
  ASSERT_EQ(first_->frames.size(), 2u);
  for (int chunk = 0; chunk < 5; ++chunk) {
    const auto step = first_->Take<StageStep>();
    EXPECT_EQ(step.sequences.at(0).first_position, 4 * chunk);
    EXPECT_EQ(step.sequences[0].start.has_value(), chunk == 0);
    EXPECT_EQ(step.sequences[0].sample, chunk == 4);
    Reply(Answer(step, 9));
    EXPECT_EQ(core_->HasWork(), chunk != 3);
    if (core_->HasWork()) core_->Advance();
  }
  EXPECT_EQ(sink->text, "d>e1 0:9");
}

TEST_F(DenseCoreTest, TheEndTokenEndsTheAnswerUnlessIgnored) {
  const std::int32_t eos = Config().eos_tokens.at(0);
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(3, 9));
  Round(7);
  Round(eos);
  EXPECT_EQ(sink->text, "d>e1 0:7 end");
  EXPECT_EQ(sink->result.cause, FinishCause::kEos);
  first_->frames.clear();
  GenerationRequest request = Request(3, 2);
  request.ignore_eos = true;
  const auto ignoring = Submit(2, request);
  Round(eos);
  Round(eos);
  EXPECT_EQ(ignoring->text, absl::StrCat("d>e1 0:", eos, " 1:", eos, " end"));
  EXPECT_EQ(ignoring->result.cause, FinishCause::kLength);
}

TEST_F(DenseCoreTest, ScoresComeInChunksAndInOrder) {
  options_.scheduler.token_budget = 8;
  for (const int count : {19, 12, 1}) {
    Start();
    LinkOne();
    GenerationRequest request = Request(20, 0);
    request.score_tokens = count;
    const auto sink = Submit(1, request);
    for (int chunk = 0; chunk < 3; ++chunk) {
      EXPECT_FALSE(sink->finished);
      for (const auto& rows : Round(0).sequences) EXPECT_FALSE(rows.sample);
    }
    EXPECT_EQ(sink->text, "d>e1 end");
    EXPECT_EQ(sink->result.cause, FinishCause::kScored);
    ASSERT_EQ(sink->result.score_logprobs.size(),
              static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(sink->result.score_logprobs[i],
                -static_cast<float>(request.prompt[20 - count + i]));
    }
    // The last token is never fed.
    EXPECT_EQ(counts_.steps.back().second, 3);
    core_.reset();
    first_->frames.clear();
  }
}

TEST_F(DenseCoreTest, ALostWorkerFailsOnlyItsSequences) {
  Start();
  LinkBoth();
  const auto lost = Submit(1, Request(3, 2, 0));
  const auto kept = Submit(2, Request(3, 2, 5));
  core_->Advance();
  core_->LinkDown(kFirst);
  EXPECT_EQ(lost->text, "d>e1 error");
  EXPECT_EQ(lost->code(), StatusCode::kUnavailable);
  SetReach(kSecond, {4, 5, 6});
  EXPECT_FALSE(core_->AllExpertsLive());
  SetReach(kFirst, kAll);  // Of a link that is gone.
  EXPECT_FALSE(core_->AllExpertsLive());
  for (int i = 0; i < 2; ++i) {
    Reply(Answer(second_->Take<StageStep>(), 8), kSecond);
    if (core_->HasWork()) core_->Advance();
  }
  EXPECT_EQ(kept->text, "d>e2 0:8 1:8 end");
  // Frames of a link that is gone are ignored.
  Reply({1, {}}, kFirst);
  // No step of the lost worker counts as in flight.
  LinkOne();
  const auto next = Submit(3, Request(3, 1, 0));
  EXPECT_TRUE(core_->HasWork());
}

TEST_F(DenseCoreTest, RequestsThatCannotRunAreRefusedWithTheReason) {
  Start(4);
  LinkOne();
  const auto expect = [this](GenerationRequest request, StatusCode code,
                             const std::string& part) {
    const auto sink = Submit(1, std::move(request));
    EXPECT_EQ(sink->text, " error");
    EXPECT_EQ(sink->code(), code) << sink->status;
    EXPECT_TRUE(sink->Says(part)) << sink->status;
    EXPECT_EQ(core_->sequences(), 0);
  };
  constexpr auto kInvalid = StatusCode::kInvalidArgument;
  expect(Request(0, 1), kInvalid, "no tokens");
  expect(Request(3, 0), kInvalid, "nothing to generate");
  expect(Request(3, -1), kInvalid, "nothing to generate");
  expect(Request(500, 14), kInvalid, "the context has 512");
  expect(Request(3, 2147483647), kInvalid, "the context has 512");
  expect(Request(65, 1), StatusCode::kFailedPrecondition,
         "take 65 tokens, but the cache holds 64");
  expect(Request(3, 1, 7), kInvalid, "family");
  for (const int priority : {-101, 101, INT_MIN}) {
    GenerationRequest ranked = Request(3, 1);
    ranked.priority = priority;
    expect(ranked, kInvalid, "priority must be from -100 to 100");
  }
  for (const int logprobs : {-1, 21, INT_MAX}) {
    GenerationRequest curious = Request(3, 1);
    curious.top_logprobs = logprobs;
    expect(curious, kInvalid, "top_logprobs must be from 0 to 20");
  }
  expect(Request(3, 1, -2), kInvalid, "family");
  GenerationRequest request = Request(3, 1);
  request.hybrid = true;
  expect(request, kInvalid, "family");
  for (const std::int32_t token : {-1, 260}) {
    request = Request(3, 1);
    request.prompt[1] = token;
    expect(request, kInvalid, "vocabulary of 260");
  }
  for (const int score : {3, -1}) {
    request = Request(3, 0);
    request.score_tokens = score;
    expect(request, kInvalid, "score");
  }
  EXPECT_TRUE(first_->frames.empty());
  EXPECT_FALSE(Submit(2, Request(64, 1))->finished);  // Just fits.
}

TEST_F(DenseCoreTest, ALengthThatNobodyAskedForIsCutToTheCache) {
  Start(4);  // 64 tokens.
  LinkOne();
  GenerationRequest request = Request(62, 400);
  request.shorten_to_cache = true;
  const auto sink = Submit(1, request);
  // The last token is never fed, so three fit.
  for (int token = 5; token < 8; ++token) Round(token);
  EXPECT_EQ(sink->text, "d>e1 0:5 1:6 2:7 end");
  EXPECT_EQ(sink->result.cause, FinishCause::kLength);
  first_->Take<ReleaseSequences>();
  // Where not even one fits, it is refused, not tried.
  request = Request(65, 400);
  request.shorten_to_cache = true;
  const auto refused = Submit(2, request);
  EXPECT_EQ(refused->code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(refused->Says("take 65 tokens, but the cache holds 64"));
}

TEST_F(DenseCoreTest, SequencesWaitForBlocksUpToALimit) {
  options_.max_waiting = 1;
  Start(4);
  LinkOne();
  const auto running = Submit(1, Request(40, 5));
  EXPECT_EQ(Round(5).sequences.size(), 1u);
  const auto waiting = Submit(2, Request(39, 1));
  EXPECT_EQ(counts_.waiting, 1);
  EXPECT_EQ(Submit(3, Request(1, 1))->code(), StatusCode::kResourceExhausted);
  core_->Cancel(1);
  first_->Take<ReleaseSequences>();
  EXPECT_EQ(Round(6).sequences.at(0).sequence, 2u);
  EXPECT_EQ(waiting->text, "d>e1 0:6 end");
}

TEST_F(DenseCoreTest, WhatTheCacheHoldsIsSentAndNotComputed) {
  Start();
  LinkOne();
  Submit(1, Request(40, 1));
  core_->Advance();
  std::vector<float> expected, payload;
  Reply(Answer(first_->Take<StageStep>(&expected), 5));
  first_->Take<ReleaseSequences>();
  EXPECT_EQ(counts_.used_blocks, 0);
  const auto sink = Submit(2, Request(40, 2));
  core_->Advance();
  const auto step = first_->Take<StageStep>(&payload);
  EXPECT_EQ(sink->cached, 32);
  EXPECT_EQ(step.sequences.at(0).first_position, 0);
  EXPECT_EQ(step.sequences[0].tokens.size(), 40u);
  EXPECT_TRUE(step.sequences[0].sample);
  EXPECT_TRUE(payload == expected);
  EXPECT_EQ(counts_.steps.back(), (std::pair<int, int>{0, 8}));
  EXPECT_EQ(counts_.queried, 80);
  EXPECT_EQ(counts_.found, 32);
  Reply(Answer(step, 5));
  Round(6);
  EXPECT_EQ(sink->text, "d>e1 0:5 1:6 end");
  first_->Take<ReleaseSequences>();
  // Only for the same salt.
  GenerationRequest salted = Request(40, 1);
  salted.cache_salt = "other";
  const auto other = Submit(3, salted);
  Round(5);
  first_->Take<ReleaseSequences>();
  EXPECT_EQ(other->cached, 0);
  // All of a prompt: the dense layers do nothing.
  GenerationRequest whole = Request(40, 1);
  whole.prompt.resize(32);
  const auto all = Submit(4, whole);
  core_->Advance();
  const auto last = first_->Take<StageStep>(&payload);
  EXPECT_EQ(all->cached, 32);
  EXPECT_EQ(counts_.steps.back(), (std::pair<int, int>{0, 0}));
  EXPECT_TRUE(payload ==
              std::vector<float>(expected.begin(),
                                 expected.begin() + 32 * Config().hidden_size));
  Reply(Answer(last, 9));
  EXPECT_EQ(all->text, "d>e1 0:9 end");
}

TEST_F(DenseCoreTest, AnswersAreFoundAgainToo) {
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

TEST_F(DenseCoreTest, WithoutPrefixCachingNothingIsShared) {
  options_.prefix_caching = false;
  Start();
  LinkOne();
  for (const SequenceId id : {1, 2}) {
    const auto sink = Submit(id, Request(40, 1));
    Round(5);
    first_->Take<ReleaseSequences>();
    EXPECT_EQ(sink->cached, 0);
    EXPECT_EQ(counts_.steps.back(), (std::pair<int, int>{0, 40}));
  }
}

TEST_F(DenseCoreTest, SequencesAtOnceShareTheBlocksOfAPrompt) {
  Start();
  LinkOne();
  for (int id = 1; id <= 4; ++id) Submit(id, Request(40, 3));
  core_->Advance();
  Reply(Answer(first_->Take<StageStep>(), 5));
  core_->Advance();
  EXPECT_EQ(counts_.used_blocks, 2 + 4);
}

TEST_F(DenseCoreTest, APreemptedSequenceGoesOnAsIfNothingHadBeen) {
  for (const bool caching : {true, false}) {
    counts_ = {};
    options_.prefix_caching = caching;
    Start(4);
    LinkOne();
    const auto older = Submit(1, Request(30, 20)),
               younger = Submit(2, Request(20, 20));
    std::string tokens;
    for (int i = 0; i < 20; ++i) absl::StrAppend(&tokens, " ", i, ":", 50 + i);
    // Each position's boundary row, as it was sent first.
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
            const std::vector<float> values(row, row + Config().hidden_size);
            row += Config().hidden_size;
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
    EXPECT_GT(counts_.preemptions, 0);
    EXPECT_GT(fed_again, 0);
    EXPECT_EQ(attempts[1], 1u);
    EXPECT_GT(attempts[2], 1u);
    // Each position counts once.
    for (const auto& sink : {older, younger}) {
      const std::uint64_t positions = sink == older ? 49 : 39;
      EXPECT_EQ(sink->result.expert_use[0].tokens_by_expert[3], positions);
    }
    EXPECT_EQ(counts_.used_blocks, 0);
    core_.reset();
    first_->frames.clear();
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

TEST_F(DenseCoreTest, ASequenceThatItsWorkerHasNoRoomForBeginsAgain) {
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(5, 2)), other = Submit(2, Request(6, 2));
  core_->Advance();
  StageResult result = Answer(first_->Take<StageStep>(), 8);
  result.outputs.at(0).sampled.reset();
  result.outputs[0].status = absl::AbortedError("no room");
  Reply(result);
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).sequence, 1u);
  EXPECT_EQ(counts_.preemptions, 1);
  // It waits until another one is done.
  EXPECT_EQ(Round(9).sequences.size(), 1u);
  EXPECT_EQ(other->text, "d>e1 0:8 1:9 end");
  first_->Take<ReleaseSequences>();
  const auto step = Round(8);
  EXPECT_EQ(step.sequences.at(0).attempt, 2u);
  EXPECT_TRUE(step.sequences[0].start.has_value());
  // Alone it tries again at once.
  core_->Advance();
  result = Answer(first_->Take<StageStep>(), 9);
  result.outputs.at(0).status = absl::AbortedError("no room");
  Reply(result);
  first_->Take<ReleaseSequences>();
  const auto again = Round(9);
  EXPECT_EQ(again.sequences.at(0).tokens.size(), 6u);
  EXPECT_EQ(sink->text, "d>e1 0:8 1:9 end");
}

TEST_F(DenseCoreTest, AnswersThatCannotBeFailTheSequence) {
  options_.scheduler.token_budget = 8;
  const auto expect = [this](const GenerationRequest& request, auto change) {
    Start();
    LinkOne();
    const auto sink = Submit(1, request);
    core_->Advance();
    StageResult result = Answer(first_->Take<StageStep>(), 5);
    change(result.outputs.at(0));
    Reply(result);
    EXPECT_EQ(sink->text, "d>e1 error");
    EXPECT_EQ(sink->code(), StatusCode::kInternal) << sink->status;
    EXPECT_EQ(counts_.used_blocks, 0);
    first_->frames.clear();
  };
  const GenerationRequest one_step = Request(8, 4), two_steps = Request(12, 4);
  expect(one_step, [](SequenceOutput& o) { ++o.position; });
  expect(one_step, [](SequenceOutput& o) { o.position = -1; });
  expect(one_step, [](SequenceOutput& o) { o.sampled.reset(); });
  expect(one_step, [](SequenceOutput& o) { o.sampled->token = 260; });
  expect(one_step, [](SequenceOutput& o) { o.sampled->token = -1; });
  // A token before the prompt was through, even with the position it would
  // have.
  expect(two_steps, [](SequenceOutput& o) { o.sampled = TokenLogprob{5, -1}; });
  expect(two_steps, [](SequenceOutput& o) {
    o.sampled = TokenLogprob{5, -1};
    o.position = 11;
  });
  GenerationRequest score = Request(9, 0);
  score.score_tokens = 2;
  expect(score, [](SequenceOutput& o) { o.score_logprobs.resize(3); });
  expect(score, [](SequenceOutput& o) { o.score_logprobs.resize(1); });
}

TEST_F(DenseCoreTest, AnAnswerBegunElsewhereGoesOn) {
  Start();
  LinkOne();
  GenerationRequest request = Request(6, 2);
  request.answer_tokens = 4;
  const auto sink = Submit(7, request);
  const StageStep step = Round(100);
  EXPECT_EQ(step.sequences[0].tokens, request.prompt);
  EXPECT_EQ(step.sequences[0].start->prompt_tokens, 2);
  Round(101);
  EXPECT_EQ(sink->text, "d>e1 4:100 5:101 end");
}

TEST_F(DenseCoreTest, AnAnswerBegunElsewhereThatCannotBeIsRefused) {
  Start();
  LinkOne();
  for (const int answer : {-1, 6, INT_MAX}) {
    GenerationRequest request = Request(6, 2);
    request.answer_tokens = answer;
    const auto sink = Submit(7, request);
    EXPECT_EQ(sink->code(), StatusCode::kInvalidArgument) << answer;
    EXPECT_TRUE(sink->Says("must be from 0 to 5")) << sink->status;
  }
  GenerationRequest scored = Request(6, 0);
  scored.answer_tokens = scored.score_tokens = 1;
  const auto sink = Submit(8, scored);
  EXPECT_EQ(sink->code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(sink->Says("must be from 0 to 0")) << sink->status;
}

TEST_F(DenseCoreTest, APausedSequenceRestsAndTheOthersGoOn) {
  Start();
  LinkOne();
  const auto paused = Submit(7, Request(5, 4));
  const auto other = Submit(8, Request(4, 3));
  core_->Advance();
  core_->SetPaused(7, true);
  // What was under way still comes.
  Reply(Answer(first_->Take<StageStep>(), 100));
  EXPECT_EQ(paused->text, "d>e1 0:100");
  Round(101);
  Round(102);
  EXPECT_EQ(other->text, "d>e1 0:100 1:101 2:102 end");
  EXPECT_EQ(paused->text, "d>e1 0:100");
  EXPECT_FALSE(core_->HasWork());
  first_->Take<ReleaseSequences>();
  core_->SetPaused(7, false);
  for (const int token : {103, 104, 105}) Round(token);
  EXPECT_EQ(paused->text, "d>e1 0:100 1:103 2:104 3:105 end");
  core_->SetPaused(7, true);  // It is over.
}

TEST_F(DenseCoreTest, APausedSequenceIsNotAdmitted) {
  Start();
  LinkOne();
  const auto sink = Submit(7, Request(5, 4));
  core_->SetPaused(7, true);
  EXPECT_FALSE(core_->HasWork());
  core_->SetPaused(7, false);
  Round(100);
  EXPECT_EQ(sink->text, "d>e1 0:100");
}

TEST_F(DenseCoreTest, ErrorsOfTheExpertWorkerAreHandedOn) {
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(3, 2));
  core_->Advance();
  StageResult result = Answer(first_->Take<StageStep>(), 5);
  result.outputs[0].status = absl::ResourceExhaustedError("full");
  Reply(result);
  EXPECT_EQ(sink->status, absl::ResourceExhaustedError("full"));
  first_->Take<ReleaseSequences>();
}

TEST_F(DenseCoreTest, OutputsOfOtherAttemptsOrWorkersAreDropped) {
  Start();
  LinkBoth();
  const auto sink = Submit(1, Request(3, 2, 0));
  const auto other = Submit(2, Request(3, 2, 5));
  core_->Advance();
  StageResult first = Answer(first_->Take<StageStep>(), 5);
  StageResult second = Answer(second_->Take<StageStep>(), 6);
  second.outputs.push_back(first.outputs[0]);  // Not its sequence.
  ++first.outputs[0].attempt;
  Reply(second, kSecond);
  Reply(first, kFirst);
  EXPECT_EQ(sink->text,
            "d>e1 error");  // The answer it waited for did not come.
  EXPECT_EQ(sink->code(), StatusCode::kInternal);
  EXPECT_EQ(other->text, "d>e2 0:6");
}

TEST_F(DenseCoreTest, ASequenceLeftOutOfAnAnswerFailsAndTheOthersGoOn) {
  Start();
  LinkOne();
  const auto left_out = Submit(1, Request(3, 2));
  const auto other = Submit(2, Request(3, 2));
  core_->Advance();
  StageResult result = Answer(first_->Take<StageStep>(), 5);
  ASSERT_EQ(result.outputs.size(), 2u);
  result.outputs.erase(result.outputs.begin());
  Reply(result);
  EXPECT_EQ(left_out->text, "d>e1 error");
  EXPECT_EQ(left_out->code(), StatusCode::kInternal);
  EXPECT_TRUE(left_out->Says("left out"));
  EXPECT_EQ(first_->Take<ReleaseSequences>().items.at(0).sequence, 1u);
  Round(6);
  EXPECT_EQ(other->text, "d>e1 0:5 1:6 end");
}

TEST_F(DenseCoreTest, AnswersToStepsThatWereNotSentCloseTheLink) {
  for (const int kind : {0, 1, 2}) {
    Start();
    first_ = std::make_shared<FakeLink>();
    LinkOne();
    const auto sink = Submit(1, Request(3, 2));
    core_->Advance();
    const StageResult result = Answer(first_->Take<StageStep>(), 5);
    if (kind == 0) Reply({result.step + 1, {}});
    if (kind == 1) core_->LinkFrame(kFirst, {Hello{}, {}});
    if (kind == 2) {
      Reply(result);
      EXPECT_FALSE(first_->closed);
      Reply(result);
      EXPECT_EQ(sink->text, "d>e1 0:5");
    }
    EXPECT_TRUE(first_->closed) << kind;
    core_->LinkDown(kFirst);
    EXPECT_EQ(sink->code(), StatusCode::kUnavailable);
  }
}

TEST_F(DenseCoreTest, WhatIsLeftAtTheEndIsUnavailable) {
  Start();
  LinkOne();
  const auto sink = Submit(1, Request(3, 2));
  core_.reset();
  EXPECT_EQ(sink->code(), StatusCode::kUnavailable);
}

TEST_F(DenseCoreTest, AWorkerThatIsAboutToStopGetsNoNewSequences) {
  Start();
  LinkBoth();
  const auto running = Submit(1, Request(4, 2, 0));
  core_->Advance();
  SetReach(kFirst, {});
  const auto next = Submit(2, Request(4, 2, 0));
  core_->Advance();
  EXPECT_EQ(next->text, "d>e2");
  Reply(Answer(first_->Take<StageStep>(), 100));
  core_->Advance();
  Reply(Answer(first_->Take<StageStep>(), 101));
  EXPECT_EQ(running->text, "d>e1 0:100 1:101 end");
  // The other one without it reaches too little.
  SetReach(kSecond, {4, 5, 6});
  EXPECT_FALSE(core_->AllExpertsLive());
  const auto none = Submit(3, Request(4, 2, 0));
  EXPECT_EQ(none->code(), StatusCode::kUnavailable);
}

TEST_F(DenseCoreTest, ASequenceThatWaitsLeavesAWorkerThatIsAboutToStop) {
  options_.scheduler.max_running = 1;
  Start();
  LinkBoth();
  const auto running = Submit(1, Request(4, 1, 5));
  const auto waiting = Submit(2, Request(4, 1, 0));
  core_->Advance();
  SetReach(kFirst, {});
  Reply(Answer(second_->Take<StageStep>(), 100), kSecond);
  EXPECT_TRUE(running->finished);
  core_->Advance();
  EXPECT_EQ(waiting->text, "d>e2");
  core_->LinkDown(kFirst);
  EXPECT_FALSE(waiting->finished);
}

// Two workers of which the first never answers. Sequences of family 0 are the
// first one's, those of family 5 the second one's.
class SilentWorkerTest : public DenseCoreTest,
                         public testing::WithParamInterface<int> {
 protected:
  SilentWorkerTest() {
    options_.steps_in_flight = GetParam();
    Start();
    LinkBoth();
  }
  void Wait(absl::Duration time) {
    clock_.now += time;
    core_->Tick(clock_.now);
  }
  // The second worker answers one step.
  void AnswerSecond(std::int32_t token) {
    std::erase_if(second_->frames, [](const Frame& frame) {
      return std::holds_alternative<ReleaseSequences>(frame.body);
    });
    Reply(Answer(second_->Take<StageStep>(), token), kSecond);
  }
  // As many steps as may be in flight wait for the first worker alone.
  void FillUp() {
    for (int i = 0; i < options_.steps_in_flight; ++i) {
      stuck_.push_back(Submit(100 + i, Request(4, 3, 0)));
      core_->Advance();
    }
    EXPECT_EQ(static_cast<int>(first_->frames.size()),
              options_.steps_in_flight);
    EXPECT_TRUE(second_->frames.empty());
  }
  std::vector<std::shared_ptr<Sink>> stuck_;
};

INSTANTIATE_TEST_SUITE_P(StepsInFlight, SilentWorkerTest, testing::Values(1, 2),
                         testing::PrintToStringParamName());

TEST_P(SilentWorkerTest, ItsUnansweredStepsHoldOthersUpForALimitedTime) {
  FillUp();
  const auto other = Submit(1, Request(4, 2, 5));
  EXPECT_FALSE(core_->HasWork());
  Wait(options_.silent_after);
  EXPECT_FALSE(core_->HasWork());
  Wait(absl::Milliseconds(1));
  ASSERT_TRUE(core_->HasWork());
  core_->Advance();
  AnswerSecond(100);
  core_->Advance();
  AnswerSecond(101);
  EXPECT_EQ(other->text, "d>e2 0:100 1:101 end");
}

TEST_P(SilentWorkerTest, ItGetsNoMoreStepsUntilItAnswers) {
  options_.scheduler.token_budget = 8;
  Start();
  first_->frames.clear();
  LinkBoth();
  const auto sink = Submit(1, Request(40, 3, 0));
  while (core_->HasWork()) core_->Advance();
  EXPECT_EQ(static_cast<int>(first_->frames.size()), options_.steps_in_flight);
  Wait(options_.silent_after * 2);
  while (core_->HasWork()) core_->Advance();
  EXPECT_EQ(static_cast<int>(first_->frames.size()), options_.steps_in_flight);
  // Then it goes on as if nothing had been.
  for (int chunk = 0; chunk < 5; ++chunk) {
    Reply(Answer(first_->Take<StageStep>(), 90), kFirst);
    while (core_->HasWork()) core_->Advance();
  }
  EXPECT_EQ(sink->text, "d>e1 0:90");
}

TEST_P(SilentWorkerTest, NewSequencesGoElsewhereAndItsOwnFail) {
  FillUp();
  Wait(options_.silent_after * 2);
  for (int i = 0; i < 3; ++i) {  // Though e1 has their family.
    const auto next = Submit(10 + i, Request(4, 1, 0));
    ASSERT_TRUE(core_->HasWork());
    core_->Advance();
    AnswerSecond(100);
    EXPECT_EQ(next->text, "d>e2 0:100 end");
  }
  EXPECT_FALSE(first_->closed);
  Wait(options_.answer_timeout);
  EXPECT_TRUE(first_->closed);
  EXPECT_FALSE(second_->closed);
  EXPECT_FALSE(stuck_[0]->finished);
  core_->LinkDown(kFirst);
  for (const auto& sink : stuck_) {
    EXPECT_EQ(sink->code(), StatusCode::kUnavailable);
  }
  EXPECT_EQ(counts_.used_blocks, 0);
}

TEST_P(SilentWorkerTest, AnAnswerMakesItOneOfThemAgain) {
  FillUp();
  Wait(options_.silent_after * 2);
  for (const auto& sink : stuck_) {
    Reply(Answer(first_->Take<StageStep>(), 90), kFirst);
    EXPECT_EQ(sink->text, "d>e1 0:90");
  }
  Wait(options_.answer_timeout * 2);  // Nothing is owed.
  EXPECT_FALSE(first_->closed);
  const auto next = Submit(3, Request(4, 1, 0));
  core_->Advance();
  Reply(Answer(first_->Take<StageStep>(), 91), kFirst);
  EXPECT_EQ(next->text, "d>e1 0:91 end");
}

TEST_P(SilentWorkerTest, ItsPauseAndTheCallersDoNotEndEachOther) {
  options_.scheduler.token_budget = 8;
  Start();
  first_->frames.clear();
  LinkBoth();
  Submit(1, Request(40, 3, 0));
  while (core_->HasWork()) core_->Advance();
  Wait(options_.silent_after * 2);
  core_->SetPaused(1, true);
  core_->SetPaused(1, false);
  EXPECT_FALSE(core_->HasWork());
  core_->SetPaused(1, true);
  for (int i = 0; i < options_.steps_in_flight; ++i) {
    Reply(Answer(first_->Take<StageStep>(), 90), kFirst);
  }
  EXPECT_FALSE(core_->HasWork());
  core_->SetPaused(1, false);
  EXPECT_TRUE(core_->HasWork());
}

}  // namespace
}  // namespace apollo
