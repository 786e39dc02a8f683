#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "model/generation/generation.h"
#include "router/answer_text.h"
#include "router/backend.h"
#include "router/engine.h"
#include "serving/metrics.h"
#include "serving/queued_writer.h"

namespace apollo {

// What every call of the router's service uses. All must outlive the calls.
struct RouterContext {
  const RouterModel& model;
  RouterBackend& backend;
  RequestMetrics& metrics;
  const Clock& clock;
};

// One Generate call: validates, tokenizes, detects the language, starts one
// sequence for each choice and writes their events to the client's stream. Made
// for each call; lives until gRPC and all its sequences are done with it.
class GenerateCall final
    : public QueuedWriter<grpc::ByteBuffer>,
      public std::enable_shared_from_this<GenerateCall> {
 public:
  // Starts the call with the request as it came. The reactor for gRPC.
  static GenerateCall* Start(const RouterContext& context,
                             const grpc::ByteBuffer& request);

 private:
  class Sink;
  struct Choice {
    explicit Choice(AnswerText text) : text(std::move(text)) {}
    AnswerText text;
    std::shared_ptr<GenerationCall> call;
    int generated = 0;
    int cached_tokens = 0;
    std::vector<LayerUse> use;  // Up to the last token, if a stop may end it.
    bool finished = false;
  };

  explicit GenerateCall(const RouterContext& context);

  absl::Status Begin(const grpc::ByteBuffer& request);
  void OnCancel() override;
  void Over() override;

  void OnStarted(int choice, const GenerationStarted& started);
  void OnToken(int choice, const GeneratedToken& token);
  void OnFinished(int choice, absl::StatusOr<GenerationFinished> finished);

  void Fail(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteFinished(int choice, v1::FinishReason reason,
                     const std::vector<LayerUse>& use)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteTokenLogprobs(const GeneratedToken& token, v1::GenerateDelta& delta);

  const RouterContext context_;
  const absl::Duration arrived_;
  GenerateInput input_;          // Set in Begin.
  v1::GenerateStarted started_;  // Likewise, but for workers.

  Mutex mutex_;
  std::shared_ptr<GenerateCall> self_ ABSL_GUARDED_BY(mutex_);
  std::vector<Choice> choices_ ABSL_GUARDED_BY(mutex_);
  RequestMetrics::Request metrics_ ABSL_GUARDED_BY(mutex_);
  bool wrote_started_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration taken_ ABSL_GUARDED_BY(mutex_);        // By a dense worker.
  absl::Duration first_token_ ABSL_GUARDED_BY(mutex_);  // 0: none yet.
};

}  // namespace apollo
