#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "router/request/request.h"
#include "router/session/answer_text.h"
#include "router/session/session.h"

namespace apollo {

// A Generate call: tokenizes the prompt, detects its language, runs one
// sequence for each choice, and writes their events with their text.
class GenerateSession final : public Session {
 public:
  // Creates the session of a call by the tenant. The writer must live until
  // Close.
  static std::shared_ptr<GenerateSession> Make(const SessionContext& context,
                                               std::string tenant,
                                               GenerateWriter& writer);

  // Starts the call. Called once. `read` returns the checked request, or its
  // error; it is not called if the router is too busy.
  void Start(absl::FunctionRef<absl::StatusOr<GenerateInput>()> read);

 private:
  struct Choice {
    explicit Choice(AnswerText text) : text(std::move(text)) {}
    AnswerText text;
    int generated = 0;
    int cached_tokens = 0;
    // Expert use up to the last token, if there are stop strings.
    std::vector<LayerUse> use;
  };

  GenerateSession(const SessionContext& context, std::string tenant,
                  GenerateWriter& writer);

  absl::Status Accept(GenerateInput input);
  void OnStarted(int index, const GenerationStarted& started) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnToken(int index, const GeneratedToken& token) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status OnFinished(int index,
                          const GenerationFinished& finished) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteFinished(int index, AnswerEnd reason,
                     const std::vector<LayerUse>& use)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  AnswerToken Describe(const GeneratedToken& token) const;

  GenerateWriter& out_;  // Used until the call ends.

  bool with_logprobs_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Choice> choices_ ABSL_GUARDED_BY(mutex_);
  bool wrote_started_ ABSL_GUARDED_BY(mutex_) = false;
  // Time at which a dense worker started the first sequence.
  absl::Duration taken_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Duration> first_token_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
