#include "router/grpc/unary_call.h"

#include <utility>

#include "router/grpc/cancelling.h"
#include "router/grpc/grpc_status.h"
#include "router/session/new_ids.h"

namespace apollo {

UnaryCall::UnaryCall(const SessionContext& context, const char* method,
                     grpc::CallbackServerContext* server_context,
                     std::unique_ptr<CallPass> pass)
    : WatchedCall(context.calls),
      context_(context),
      method_(method),
      arrived_(context.clock.Now()),
      request_id_(NewRequestId()),
      server_context_(server_context),
      pass_(std::move(pass)),
      metrics_(context.metrics, method, arrived_) {}

UnaryCall* UnaryCall::Start(const SessionContext& context, const char* method,
                            grpc::CallbackServerContext* server_context,
                            Admission admission,
                            absl::FunctionRef<absl::Status()> answer,
                            bool audited) {
  const AuditCaller caller = {admission.pass->caller(),
                              admission.pass->certificate()};
  const std::shared_ptr<UnaryCall> call(new UnaryCall(
      context, method, server_context, std::move(admission.pass)));
  absl::Status status = admission.status;
  if (status.ok()) status = context.calls.Enter(call);
  if (status.ok()) status = answer();
  {
    MutexLock lock(call->mutex_);
    call->self_ = call;
  }
  // A refused call has read no text: its client waits for no write.
  if (context.audit != nullptr && audited && !admission.status.ok()) {
    context.audit->WriteRefused(call->Audit(caller, status));
    audited = false;
  }
  if (context.audit == nullptr || !audited) {
    call->Answer(status);
    return call.get();
  }
  context.audit->WriteFirst(call->Audit(caller, status),
                            [call, status](const absl::Status& written) {
                              call->Answer(written.ok() ? status : written);
                            });
  return call.get();
}

AuditEntry UnaryCall::Audit(const AuditCaller& caller,
                            const absl::Status& status) const {
  AuditEntry entry;
  entry.request_id = request_id_;
  entry.caller = caller;
  entry.method = method_;
  entry.model_hash = context_.backend.ModelHash();
  entry.code = absl::StatusCodeToString(status.code());
  entry.duration = context_.clock.Now() - arrived_;
  return entry;
}

void UnaryCall::Answer(const absl::Status& status) {
  grpc::CallbackServerContext* context = nullptr;
  {
    MutexLock lock(mutex_);
    outcome_ = status;
    answered_ = context_.clock.Now();
    context = server_context_;  // gRPC keeps it until the call has finished.
  }
  AddTrailers(status, request_id_, *context);
  Finish(ToGrpcStatus(status, request_id_));
}

void UnaryCall::Watch() {
  MutexLock lock(mutex_);
  if (self_ == nullptr || server_context_ == nullptr || !answered_) return;
  if (context_.clock.Now() - *answered_ <
      context_.calls.limits().stalled_client_timeout) {
    return;
  }
  outcome_ =
      absl::ResourceExhaustedError("the client does not read the response");
  CancelCall(*server_context_, ToGrpcStatus(outcome_));
}

void UnaryCall::OnDone() {
  std::shared_ptr<UnaryCall> self;  // Destroyed after `lock`.
  MutexLock lock(mutex_);
  self = std::move(self_);
  server_context_ = nullptr;
  pass_->End(outcome_.code());
  metrics_.End(absl::StatusCodeToString(outcome_.code()), context_.clock.Now());
  if (!outcome_.ok()) {
    context_.calls.failures().Report(method_, request_id_, outcome_);
  }
}

}  // namespace apollo
