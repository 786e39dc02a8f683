#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "router/request/request.h"
#include "router/session/session.h"

namespace apollo {

// A Score call: runs each continuation of the prompt as a sequence of its own
// and writes one result when all are done.
class ScoreSession final : public Session {
 public:
  // Creates the session of a call with this pass. The writer must live until
  // Close.
  static std::shared_ptr<ScoreSession> Make(const SessionContext& context,
                                            std::unique_ptr<CallPass> pass,
                                            ScoreWriter& writer);

  // Starts the call. Called once. `read` returns the checked request, or its
  // error; it is not called if the router is too busy.
  void Start(absl::FunctionRef<absl::StatusOr<ScoreInput>()> read);

 private:
  ScoreSession(const SessionContext& context, std::unique_ptr<CallPass> pass,
               ScoreWriter& writer);

  absl::Status Accept(const ScoreInput& input);
  void OnStarted(int index, const GenerationStarted& started) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnToken(int index, const GeneratedToken& token) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status OnFinished(int index,
                          const GenerationFinished& finished) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnAllFinished() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  ScoreWriter& out_;  // Used until the call ends.

  ScoreResult result_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
