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
      request_id_(NewRequestId()),
      server_context_(server_context),
      pass_(std::move(pass)),
      metrics_(context.metrics, method, context.clock.Now()) {}

UnaryCall* UnaryCall::Start(const SessionContext& context, const char* method,
                            grpc::CallbackServerContext* server_context,
                            Admission admission,
                            absl::FunctionRef<absl::Status()> answer) {
  const std::shared_ptr<UnaryCall> call(new UnaryCall(
      context, method, server_context, std::move(admission.pass)));
  absl::Status status = admission.status;
  if (status.ok()) status = context.calls.Enter(call);
  if (status.ok()) status = answer();
  {
    MutexLock lock(call->mutex_);
    call->self_ = call;
    call->outcome_ = status;
    call->answered_ = context.clock.Now();
  }
  AddTrailers(status, call->request_id_, *server_context);
  call->Finish(ToGrpcStatus(status, call->request_id_));
  return call.get();
}

void UnaryCall::Watch() {
  MutexLock lock(mutex_);
  if (self_ == nullptr || server_context_ == nullptr) return;
  if (context_.clock.Now() - answered_ <
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
