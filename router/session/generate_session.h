#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
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
  // Close. `method` is a string literal, for metrics and logs.
  static std::shared_ptr<GenerateSession> Make(const SessionContext& context,
                                               std::string tenant,
                                               GenerateWriter& writer,
                                               const char* method = "Generate");

  // Starts the call. Called once. `read` returns the checked request, or its
  // error; it is not called if the router is too busy.
  void Start(absl::FunctionRef<absl::StatusOr<GenerateInput>()> read);

 private:
  struct Choice {
    explicit Choice(AnswerText text) : text(std::move(text)) {}
    AnswerText text;
    int generated = 0;
    int cached_tokens = 0;
    // Expert use up to the last token, if there are stop strings or tokens.
    std::vector<LayerUse> use;
  };

  GenerateSession(const SessionContext& context, std::string tenant,
                  GenerateWriter& writer, const char* method);

  absl::Status Accept(GenerateInput input);
  void OnStarted(int index, const GenerationStarted& started) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnPrompt(int index, const PromptLogprobs& prompt) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnToken(int index, const GeneratedToken& token) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status OnFinished(int index,
                          const GenerationFinished& finished) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Writes the rest of the text of an answer that has ended.
  void FinishText(int index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteFinished(int index, AnswerEnd reason,
                     std::optional<std::int32_t> matched_token,
                     const std::vector<LayerUse>& use)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  AnswerToken Describe(std::int32_t token, float logprob,
                       const std::vector<TokenLogprob>& alternatives) const;

  GenerateWriter& out_;  // Used until the call ends.

  bool with_logprobs_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<std::int32_t> stop_tokens_ ABSL_GUARDED_BY(mutex_);
  // AnswerEnds::tokens, unless they are to be ignored.
  std::set<std::int32_t> end_tokens_ ABSL_GUARDED_BY(mutex_);
  // Prompt tokens whose log-probabilities are still to come.
  int prompt_unscored_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Choice> choices_ ABSL_GUARDED_BY(mutex_);
  bool wrote_started_ ABSL_GUARDED_BY(mutex_) = false;
  // Time at which a dense worker started the first sequence.
  absl::Duration taken_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Duration> first_token_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
