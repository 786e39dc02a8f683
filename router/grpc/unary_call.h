#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/time/time.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "common/mutex.h"
#include "router/access/call_pass.h"
#include "router/session/call_table.h"
#include "router/session/session.h"
#include "serving/metrics.h"

namespace apollo {

// The gRPC reactor of a method that responds immediately. Counts as running
// until its client has received the response, has disconnected, or has not read
// for too long.
class UnaryCall final : public grpc::ServerUnaryReactor,
                        public WatchedCall,
                        public std::enable_shared_from_this<UnaryCall> {
 public:
  // Runs `answer`, unless the call was refused or the router is too busy,
  // finishes with its status, and returns the reactor. `method` is a string
  // literal. If `audited`, the call is in the audit log before it finishes.
  static UnaryCall* Start(const SessionContext& context, const char* method,
                          grpc::CallbackServerContext* server_context,
                          Admission admission,
                          absl::FunctionRef<absl::Status()> answer,
                          bool audited = false);
  static constexpr bool kAudited = true;

  void Watch() override;
  // Does nothing: the response has been given to gRPC.
  void Cancel(const absl::Status& /*reason*/) override {}

 private:
  UnaryCall(const SessionContext& context, const char* method,
            grpc::CallbackServerContext* server_context,
            std::unique_ptr<CallPass> pass);
  void OnDone() override;
  // Sends the response, or the error.
  void Answer(const absl::Status& status);
  // Returns the only line of the call in the audit log.
  AuditEntry Audit(const AuditCaller& caller, const absl::Status& status) const;

  const SessionContext context_;
  const char* const method_;
  const absl::Duration arrived_;
  const std::string request_id_;  // New: requests of these methods have none.

  Mutex mutex_;
  std::shared_ptr<UnaryCall> self_ ABSL_GUARDED_BY(mutex_);
  // Null once gRPC is done with the call.
  grpc::CallbackServerContext* server_context_ ABSL_GUARDED_BY(mutex_);
  const std::unique_ptr<CallPass> pass_ ABSL_PT_GUARDED_BY(mutex_);
  RequestMetrics::Request metrics_ ABSL_GUARDED_BY(mutex_);
  absl::Status outcome_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Duration> answered_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
