#include "router/session/session_fixture.h"

#include <prometheus/text_serializer.h>

#include <stdexcept>
#include <utility>

namespace apollo {

std::string KeepingGenerateWriter::Text(int choice) const {
  std::string text;
  int tokens = 0;
  for (const AnswerDelta& delta : Deltas()) {
    if (delta.choice != choice) continue;
    EXPECT_EQ(delta.index, tokens);
    tokens += static_cast<int>(delta.tokens.size());
    text += delta.text;
  }
  return text;
}

std::vector<AnswerFinished> KeepingGenerateWriter::AllFinished() const {
  std::vector<AnswerFinished> all;
  for (const Event& event : events) {
    if (const auto* one = std::get_if<AnswerFinished>(&event)) {
      all.push_back(*one);
    }
  }
  return all;
}

std::vector<AnswerDelta> KeepingGenerateWriter::Deltas() const {
  std::vector<AnswerDelta> all;
  for (const Event& event : events) {
    if (const auto* one = std::get_if<AnswerDelta>(&event)) {
      all.push_back(*one);
    }
  }
  return all;
}

SessionTest::SessionTest() {
  auto model = RouterModel::Load("tests/golden/published", {});
  if (!model.ok()) throw std::runtime_error(model.status().ToString());
  model_ = *std::move(model);
  backend_ = std::make_unique<ScriptedBackend>(*model_->tokenizer);
  backend_->Play([](ScriptedSequence&) {}, ScriptedBackend::Where::kCaller);
  SetLimits({});
}

void SessionTest::SetLimits(const CallLimits& limits, absl::Duration patience) {
  calls_ = std::make_unique<CallTable>(limits, clock_, patience);
}

SessionContext SessionTest::Context() {
  return {*model_,
          *backend_,
          metrics_,
          clock_,
          *calls_,
          /*languages=*/nullptr,
          audit_,
          tracer_};
}

std::shared_ptr<GenerateSession> SessionTest::Generate(
    const GenerateInput& input, KeepingGenerateWriter& writer,
    std::unique_ptr<CallPass> pass) {
  auto session = GenerateSession::Make(Context(), std::move(pass), writer);
  session->Start([&] { return input; });
  return session;
}

std::shared_ptr<ScoreSession> SessionTest::Score(
    const std::vector<std::string>& continuations, KeepingScoreWriter& writer) {
  ScoreInput input;
  input.input.prompt = "Q:";
  input.input.request_id = "mine";
  input.continuations = continuations;
  auto session =
      ScoreSession::Make(Context(), std::make_unique<CallPass>(), writer);
  session->Start([&] { return input; });
  return session;
}

GenerateInput SessionTest::Prompt(const std::string& prompt) {
  GenerateInput input;
  input.input.prompt = prompt;
  input.sampling.seed = 5;
  input.has_seed = true;
  return input;
}

ScriptedSequence& SessionTest::Sequence(std::size_t index) {
  return *backend_->sequences().at(index);
}

std::string SessionTest::Metrics() {
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace apollo
