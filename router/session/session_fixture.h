#pragma once

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/fake_clock.h"
#include "router/model/router_model.h"
#include "router/session/call_table.h"
#include "router/session/generate_session.h"
#include "router/session/score_session.h"
#include "router/session/scripted_backend.h"
#include "router/session/session.h"
#include "router/session/writer.h"
#include "serving/metrics.h"
#include "tracing/tracer.h"

namespace apollo {

// A writer that records its calls. With `reading` off, output stays unsent
// until the test changes `unsent_bytes`.
template <typename Writer>
class KeepingWriter : public Writer {
 public:
  void End(const absl::Status& status) override {
    EXPECT_FALSE(ended.has_value()) << "ended twice";
    ended = status;
  }
  void Abort(const absl::Status& status) override { aborted = status; }
  std::size_t unsent() override { return unsent_bytes; }

  std::optional<absl::Status> ended, aborted;
  bool reading = true;
  std::size_t unsent_bytes = 0;
};

class KeepingGenerateWriter final : public KeepingWriter<GenerateWriter> {
 public:
  using Event =
      std::variant<AnswerStarted, AnswerPrompt, AnswerDelta, AnswerFinished>;

  void Started(const AnswerStarted& started) override { Keep(started); }
  void Prompt(const AnswerPrompt& prompt) override {
    Keep(prompt);
    if (!reading) unsent_bytes += prompt.tokens.size() * bytes_per_character;
  }
  absl::Status room() override { return room_status; }
  void Delta(const AnswerDelta& delta) override {
    Keep(delta);
    if (!reading) unsent_bytes += delta.text.size() * bytes_per_character;
  }
  void Finished(const AnswerFinished& finished) override { Keep(finished); }

  // Returns the text of one choice.
  std::string Text(int choice = 0) const;
  std::vector<AnswerFinished> AllFinished() const;
  std::vector<AnswerDelta> Deltas() const;

  std::vector<Event> events;
  absl::Status room_status;
  std::size_t bytes_per_character = 1;  // Counted in unsent_bytes.

 private:
  void Keep(Event event) {
    EXPECT_FALSE(ended.has_value()) << "an event after the end";
    events.push_back(std::move(event));
  }
};

class KeepingScoreWriter final : public KeepingWriter<ScoreWriter> {
 public:
  void Scored(const ScoreResult& scored) override {
    EXPECT_FALSE(result.has_value());
    result = scored;
  }
  std::optional<ScoreResult> result;
};

// Sessions in front of a scripted cluster, in one thread and with a fake clock.
class SessionTest : public testing::Test {
 protected:
  SessionTest();

  // Replaces the table of calls. By default its destructor does not wait for
  // the calls of sequences that a test leaves open.
  void SetLimits(const CallLimits& limits,
                 absl::Duration patience = absl::ZeroDuration());
  // Gives later calls an audit log, which must outlive them.
  void SetAudit(AuditLog* audit) { audit_ = audit; }
  // Gives later calls a tracer, which must outlive them.
  void SetTracer(Tracer* tracer) { tracer_ = tracer; }
  SessionContext Context();

  // Start a call. When these return, its sequences have been started but have
  // emitted nothing.
  std::shared_ptr<GenerateSession> Generate(
      const GenerateInput& input, KeepingGenerateWriter& writer,
      std::unique_ptr<CallPass> pass = std::make_unique<CallPass>());
  std::shared_ptr<ScoreSession> Score(
      const std::vector<std::string>& continuations,
      KeepingScoreWriter& writer);
  // Returns a request with the prompt and seed 5.
  static GenerateInput Prompt(const std::string& prompt);

  // Returns the sequence that was started as number `index`.
  ScriptedSequence& Sequence(std::size_t index);
  // Returns the metrics in the format of /metrics.
  std::string Metrics();

  FakeClock clock_;
  prometheus::Registry registry_;
  RequestMetrics metrics_{registry_};
  std::unique_ptr<CallTable> calls_;
  std::unique_ptr<RouterModel> model_;
  std::unique_ptr<ScriptedBackend> backend_;

 private:
  AuditLog* audit_ = nullptr;
  Tracer* tracer_ = nullptr;
};

}  // namespace apollo
