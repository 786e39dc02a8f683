#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "router/request/request.h"
#include "router/session/answer_text.h"
#include "router/session/resumed_answer.h"
#include "router/session/session.h"

namespace apollo {

// A Generate call: tokenizes the prompt, detects its language, runs one
// sequence for each choice, and writes their events with their text.
class GenerateSession final : public Session {
 public:
  // Creates the session of a call with this pass. The writer must live until
  // Close. `method` is a string literal, for metrics and logs.
  static std::shared_ptr<GenerateSession> Make(const SessionContext& context,
                                               std::unique_ptr<CallPass> pass,
                                               GenerateWriter& writer,
                                               const char* method = "Generate");

  // Starts the call. Called once. `read` returns the checked request, or its
  // error; it is not called if the router is too busy.
  void Start(absl::FunctionRef<absl::StatusOr<GenerateInput>()> read);

 private:
  struct Choice {
    explicit Choice(AnswerText text) : text(std::move(text)) {}
    AnswerText text;
    int generated = 0;  // Of the whole answer.
    int cached_tokens = 0;
    // Expert use up to the last token, if there are stop strings or tokens.
    std::vector<LayerUse> use;
    // If the call continues an answer.
    std::vector<std::int32_t> received;  // By the client, before.
    ResumedState resumed;
    bool closed = false;           // The client has its end.
    std::optional<AnswerEnd> end;  // Once it is written.
    bool confirmed = false;  // The last token received was generated again.
  };

  GenerateSession(const SessionContext& context, std::unique_ptr<CallPass> pass,
                  GenerateWriter& writer, const char* method);

  absl::Status Accept(GenerateInput input);
  // Puts the choices in the state that they had in the broken stream.
  absl::Status TakeResume(const ResumeInput& resume)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns the requests for the choices that are not complete, made from
  // `run`, which is that of a new choice but for the seed.
  std::vector<GenerationRequest> MakeRuns(GenerationRequest run,
                                          const GenerateInput& input)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes what the requests need of the caller's limits.
  absl::Status Reserve(const std::vector<GenerationRequest>& runs)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Writes the start of the call, once, and then the ends of choices that are
  // complete from the beginning.
  void WriteStarted(const GenerationStarted& started)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnStarted(int index, const GenerationStarted& started) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnPrompt(int index, const PromptLogprobs& prompt) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnToken(int index, const GeneratedToken& token) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status OnFinished(int index,
                          const GenerationFinished& finished) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnAllFinished() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DescribeAnswers(AuditEntry& entry) const override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns true for the last token that the client has received, which comes
  // again.
  bool IsReceived(int choice, const GeneratedToken& token)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static absl::Status DoesNotContinue(int choice);
  // Returns the part of an answer's next text that the client does not have.
  std::string Unsent(int choice, std::string text)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Writes the rest of the text of an answer that has ended.
  void WriteText(int choice, const std::string& text)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteFinished(int number, AnswerEnd reason,
                     std::optional<std::int32_t> matched_token,
                     const std::vector<LayerUse>& use)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  AnswerToken Describe(std::int32_t token, float logprob,
                       const std::vector<TokenLogprob>& alternatives) const;

  GenerateWriter& out_;  // Used until the call ends.

  bool with_logprobs_ ABSL_GUARDED_BY(mutex_) = false;
  // `ends` are those of AnswerEnds, unless they are to be ignored.
  AnswerTokens tokens_ ABSL_GUARDED_BY(mutex_);
  // Prompt tokens whose log-probabilities are still to come.
  int prompt_unscored_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Choice> choices_ ABSL_GUARDED_BY(mutex_);
  // The choice of each sequence.
  std::vector<int> run_choices_ ABSL_GUARDED_BY(mutex_);
  bool resumed_ ABSL_GUARDED_BY(mutex_) = false;
  bool wrote_started_ ABSL_GUARDED_BY(mutex_) = false;
  // Time at which a dense worker started the first sequence.
  absl::Duration taken_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Duration> first_token_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
