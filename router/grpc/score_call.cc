#include "router/grpc/score_call.h"

#include <utility>

#include "common/status_macros.h"
#include "link/deadline.h"
#include "link/trace_metadata.h"
#include "proto/apollo/v1/inference.pb.h"
#include "router/grpc/cancelling.h"
#include "router/grpc/grpc_status.h"
#include "router/grpc/read_request.h"
#include "router/grpc/to_proto.h"
#include "router/grpc/wire_request.h"

namespace apollo {
namespace {

absl::StatusOr<ScoreInput> Read(const RouterModel& model,
                                const grpc::ByteBuffer& buffer) {
  v1::ScoreRequest request;
  RETURN_IF_ERROR(ParseRequest(buffer, request));
  return ReadScore(request, model.limits, model.families, model.default_hybrid);
}

}  // namespace

ScoreCall::ScoreCall(const SessionContext& context,
                     grpc::CallbackServerContext* server_context,
                     std::unique_ptr<CallPass> pass, std::string request_id,
                     grpc::ByteBuffer* response)
    : server_context_(server_context),
      response_(response),
      arrived_(std::chrono::system_clock::now()),
      session_(ScoreSession::Make(context, std::move(pass), *this)),
      request_id_(request_id.empty() ? session_->request_id()
                                     : std::move(request_id)) {
  session_->SetRequestId(request_id_);
  session_->SetDeadline(DeadlineOnClock(server_context_->deadline(), arrived_,
                                        context.clock.Now()));
  if (context.tracer != nullptr) session_->SetTrace(TraceOf(*server_context_));
}

ScoreCall* ScoreCall::Start(const SessionContext& context,
                            grpc::CallbackServerContext* server_context,
                            Admission admission,
                            const grpc::ByteBuffer& request,
                            grpc::ByteBuffer* response) {
  auto* const call =
      new ScoreCall(context, server_context, std::move(admission.pass),
                    PeekRequestId(request), response);
  if (!admission.status.ok()) {
    call->session_->Refuse(admission.status);  // Enters no table of calls.
    return call;
  }
  call->session_->Start([&]() -> absl::StatusOr<ScoreInput> {
    if (!request.Valid()) return call->WhyCancelled();
    return Read(context.model, request);
  });
  return call;
}

absl::Status ScoreCall::WhyCancelled() const {
  return CancelReason(arrived_, server_context_->deadline(),
                      std::chrono::system_clock::now());
}

void ScoreCall::OnCancel() { session_->Cancel(WhyCancelled()); }

void ScoreCall::OnDone() {
  session_->Close();
  delete this;
}

void ScoreCall::Scored(const ScoreResult& result) {
  *response_ = SerializeResponse(ToProto(result));
}

void ScoreCall::End(const absl::Status& status) {
  AddTrailers(status, request_id_, *server_context_);
  Finish(ToGrpcStatus(status, request_id_));
}

void ScoreCall::Abort(const absl::Status& status) {
  // End has been called: there is no output before it.
  CancelCall(*server_context_, ToGrpcStatus(status));
}

}  // namespace apollo
