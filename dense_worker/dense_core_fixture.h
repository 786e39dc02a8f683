#pragma once

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/fake_clock.h"
#include "dense_worker/dense_core.h"
#include "dense_worker/dense_counters.h"
#include "dense_worker/routing_log.h"
#include "engine/testing/async_dense_stage.h"
#include "engine/testing/fake_dense_stage.h"
#include "engine/testing/later.h"
#include "link/fake_link.h"
#include "model/language/families.h"
#include "model/language/language_labels.h"
#include "sequence/routing.h"

// The shared fixture of the tests of DenseCore.
namespace apollo {

// The config of a tiny model for FakeDenseStage: two dense and two sparse
// layers of seven experts.
inline const ModelConfig& TinyConfig() {
  static const ModelConfig* const config = [] {
    auto* c = new ModelConfig;
    c->hidden_size = 2;
    c->num_layers = 4;
    c->boundary = 2;
    c->num_experts = 7;
    c->experts_per_token = 2;
    c->vocab_size = 260;
    c->max_context = 512;
    c->eos_tokens = {257};
    return c;
  }();
  return *config;
}

// A sequence's events as text.
class FakeSink final : public GenerationSink {
 public:
  void OnStarted(const GenerationStarted& s) override {
    EXPECT_TRUE(text.empty());
    text += s.dense_worker + ">" + s.expert_worker;
    cached = s.cached_tokens;
  }
  void OnPrompt(const PromptLogprobs& p) override {
    EXPECT_FALSE(finished);
    prompts.push_back(p);
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
  void OnMoved(const SequenceMove& move) override {
    EXPECT_FALSE(finished);
    moves.push_back(move);
  }
  void OnFinished(absl::StatusOr<GenerationFinished> f) override {
    EXPECT_FALSE(finished) << "finished twice";
    finished = true;
    if (f.ok()) result = *f;
    status = f.status();
    text += f.ok() ? " end" : " error";
  }
  absl::StatusCode code() const { return status.code(); }
  bool Says(const std::string& part) const {
    return std::string(status.message()).find(part) != std::string::npos;
  }
  std::string text;
  std::vector<PromptLogprobs> prompts;
  std::vector<SequenceMove> moves;
  int cached = -1;
  bool finished = false;
  absl::Status status = absl::UnknownError("not finished");
  GenerationFinished result;
};

inline constexpr LinkId kFirst = 11, kSecond = 12;
inline const std::set<int> kAll = {0, 1, 2, 3, 4, 5, 6};

inline std::vector<std::int32_t> Prompt(int size) {
  std::vector<std::int32_t> prompt;
  for (int i = 0; i < size; ++i) prompt.push_back((i * 31 + size) % 256);
  return prompt;
}

inline GenerationRequest Request(int prompt, int max_new_tokens,
                                 int family = -1) {
  GenerationRequest request;
  request.prompt = Prompt(prompt);
  request.max_new_tokens = max_new_tokens;
  request.family = family;
  return request;
}

// Returns the answer of a correct expert worker, with the given token.
inline StageResult Answer(const StageStep& step, std::int32_t token) {
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
    output.expert_use.assign(TinyConfig().num_sparse_layers() * 7, 0);
    output.expert_use[3] = output.expert_use[9] =
        static_cast<std::uint32_t>(rows.tokens.size());
    output.off_family = {0, output.expert_use[3]};
    result.outputs.push_back(std::move(output));
  }
  return result;
}

// A core with a fake stage and two fake expert workers.
class DenseCoreTest : public testing::Test {
 protected:
  // A string of its own: gcc 12 warns of the assignment of a literal (its bug
  // 105651).
  DenseCoreTest() { options_.name = std::string("d"); }

  void Start(int blocks = 64) {
    StartOver(std::make_unique<FakeDenseStage>(TinyConfig(), blocks));
  }
  // Does the same, but steps complete when the test delivers them (later_).
  void StartAsync(int blocks = 64) {
    StartOver(std::make_unique<AsyncDenseStage>(
        std::make_unique<FakeDenseStage>(TinyConfig(), blocks), later_));
  }
  void StartOver(std::unique_ptr<DenseStage> stage) {
    core_.reset();
    later_ = {};
    routing_ = std::make_unique<RoutingLog>(
        TinyConfig(), LanguageLabels(FamilyTable::Paper()), clock_);
    core_ = std::make_unique<DenseCore>(options_, std::move(stage), *routing_,
                                        clock_);
  }
  const DenseCounters& Counters() const { return core_->counters(); }
  // Returns how tokens were routed since the start.
  RoutingCounts Routed() const { return routing_->Counts({}); }
  void LinkOne() {
    Up(kFirst, {WorkerRole::kExpert, "e1", "m", "1", kAll}, first_);
    SetReach(kFirst, kAll);
  }
  void LinkBoth() {
    Up(kFirst, {WorkerRole::kExpert, "e1", "m", "1", {0, 1, 2, 3}}, first_);
    Up(kSecond, {WorkerRole::kExpert, "e2", "m", "1", {4, 5, 6}}, second_);
    EXPECT_FALSE(core_->AllExpertsLive());  // They have not found each other.
    for (const LinkId id : {kFirst, kSecond}) SetReach(id, kAll);
    EXPECT_TRUE(core_->AllExpertsLive());
  }
  void Up(LinkId id, const WorkerInfo& info, std::shared_ptr<Link> link) {
    infos_[id] = info;
    core_->LinkUp(id, info, std::move(link));
  }
  // Reports the experts that the worker reaches; with none, the worker is
  // draining.
  void SetReach(LinkId id, std::set<int> experts) {
    WorkerInfo& info = infos_[id];
    info.draining = experts.empty();
    if (!experts.empty()) info.reaches = std::move(experts);
    info.ready = true;
    ++info.revision;
    core_->LinkFrame(id, {info});
  }
  // Destroys the core and drops the frames that it has sent.
  void Clear() {
    core_.reset();
    first_->frames.clear();
    second_->frames.clear();
  }

  // Reports the rows that wait at a worker that reaches every expert.
  void SetQueued(LinkId id, int rows) {
    infos_[id].queued_rows = rows;
    SetReach(id, kAll);
  }

  std::shared_ptr<FakeSink> Submit(SequenceId id, GenerationRequest request) {
    auto sink = std::make_shared<FakeSink>();
    core_->Submit(id, std::move(request), sink);
    return sink;
  }
  void Reply(const StageResult& result, LinkId from = kFirst) {
    core_->LinkFrame(from, {result, {}});
  }
  // Refuses the sequences of a step: the worker has no room.
  void Refuse(const StageStep& step) {
    StageResult result = Answer(step, 0);
    for (SequenceOutput& output : result.outputs) {
      output.sampled.reset();
      output.status = absl::AbortedError("no room");
    }
    Reply(result);
  }
  // Runs the next step and answers it with the token.
  StageStep Round(std::int32_t token) {
    core_->Advance();
    const auto step = first_->Take<StageStep>();
    Reply(Answer(step, token));
    return step;
  }
  void Wait(absl::Duration time) {
    clock_.now += time;
    core_->Tick(clock_.now);
  }

  std::map<LinkId, WorkerInfo> infos_;  // As last reported.
  DenseCore::Options options_;
  FakeClock clock_;
  std::shared_ptr<FakeLink> first_ = std::make_shared<FakeLink>();
  std::shared_ptr<FakeLink> second_ = std::make_shared<FakeLink>();
  std::unique_ptr<RoutingLog> routing_;  // Used by the core.
  Later later_;  // Pending completions of an asynchronous stage.
  std::unique_ptr<DenseCore> core_;
};

}  // namespace apollo
