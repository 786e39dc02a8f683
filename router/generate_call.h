#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "router/answer_text.h"
#include "router/backend.h"
#include "router/engine.h"
#include "router/session/failure_log.h"
#include "sequence/generation.h"
#include "serving/metrics.h"
#include "serving/queued_writer.h"

namespace apollo {

// The tenant that a call comes from. Thread-safe.
using TenantOf = std::function<std::string(const grpc::ServerContextBase&)>;

// What every call of the router's service uses. All must outlive the calls.
struct RouterContext {
  const RouterModel& model;
  RouterBackend& backend;
  RequestMetrics& metrics;
  const Clock& clock;
  // Tenants share no cached prefix (GenerationRequest::cache_salt). Empty: no
  // caller is known from another, and all of them are one tenant.
  TenantOf tenant_of = nullptr;
  // The service's own.
  FailureLog* failures = nullptr;
};

// One Generate call: validates, tokenizes, detects the language, starts one
// sequence for each choice and writes their events to the client's stream. Made
// for each call; lives until gRPC and all its sequences are done with it.
class GenerateCall final : public QueuedWriter<grpc::ByteBuffer>,
                           public std::enable_shared_from_this<GenerateCall> {
 public:
  // Starts the tenant's call with the request as it came. The reactor for gRPC.
  static GenerateCall* Start(const RouterContext& context,
                             const grpc::ServerContextBase& server_context,
                             std::string tenant,
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

  GenerateCall(const RouterContext& context,
               const grpc::ServerContextBase& server_context,
               std::string tenant);

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
  void WriteTokenLogprobs(const GeneratedToken& token,
                          v1::GenerateDelta& delta);

  const RouterContext context_;
  const std::string tenant_;
  const absl::Duration arrived_;
  const std::chrono::system_clock::time_point arrived_at_, deadline_;
  GenerateInput input_;          // Set in Begin.
  v1::GenerateStarted started_;  // Likewise, but for workers.

  Mutex mutex_;
  std::shared_ptr<GenerateCall> self_ ABSL_GUARDED_BY(mutex_);
  std::vector<Choice> choices_ ABSL_GUARDED_BY(mutex_);
  RequestMetrics::Request metrics_ ABSL_GUARDED_BY(mutex_);
  bool wrote_started_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration taken_ ABSL_GUARDED_BY(mutex_);        // By a dense worker.
  absl::Duration first_token_ ABSL_GUARDED_BY(mutex_);  // 0: none yet.
};

}  // namespace apollo
