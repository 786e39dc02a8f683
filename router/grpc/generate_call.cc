#include "router/grpc/generate_call.h"

#include <utility>

#include "common/status_macros.h"
#include "link/deadline.h"
#include "link/trace_metadata.h"
#include "router/grpc/cancelling.h"
#include "router/grpc/grpc_status.h"
#include "router/grpc/read_request.h"
#include "router/grpc/to_proto.h"

namespace apollo {

absl::StatusOr<GenerateInput> ParseGenerate(const RouterModel& model,
                                            const grpc::ByteBuffer& buffer) {
  v1::GenerateRequest request;
  RETURN_IF_ERROR(ParseRequest(buffer, request));
  return ReadGenerate(request, model.limits, model.families,
                      model.default_hybrid);
}

GenerateCall::GenerateCall(const SessionContext& context,
                           grpc::CallbackServerContext* server_context,
                           std::unique_ptr<CallPass> pass,
                           std::string request_id)
    : server_context_(server_context),
      arrived_(std::chrono::system_clock::now()),
      session_(GenerateSession::Make(context, std::move(pass), *this)),
      request_id_(request_id.empty() ? session_->request_id()
                                     : std::move(request_id)) {
  session_->SetRequestId(request_id_);
  session_->SetDeadline(DeadlineOnClock(server_context_->deadline(), arrived_,
                                        context.clock.Now()));
  if (context.tracer != nullptr) session_->SetTrace(TraceOf(*server_context_));
}

GenerateCall* GenerateCall::Start(const SessionContext& context,
                                  grpc::CallbackServerContext* server_context,
                                  Admission admission,
                                  const grpc::ByteBuffer& request) {
  auto* const call =
      new GenerateCall(context, server_context, std::move(admission.pass),
                       PeekRequestId(request));
  if (!admission.status.ok()) {
    call->session_->Refuse(admission.status);  // Enters no table of calls.
    return call;
  }
  call->session_->Start([&]() -> absl::StatusOr<GenerateInput> {
    if (!request.Valid()) return call->WhyCancelled();
    return ParseGenerate(context.model, request);
  });
  return call;
}

absl::Status GenerateCall::WhyCancelled() const {
  return CancelReason(arrived_, server_context_->deadline(),
                      std::chrono::system_clock::now());
}

void GenerateCall::OnCancel() { session_->Cancel(WhyCancelled()); }

void GenerateCall::OnWritten() { session_->OnSent(); }

void GenerateCall::Over() {
  session_->Close();
  delete this;
}

void GenerateCall::Started(const AnswerStarted& started) {
  v1::GenerateResponse response;
  *response.mutable_started() = ToProto(started);
  Write(response);
}

void GenerateCall::Prompt(const AnswerPrompt& prompt) {
  v1::GenerateResponse response;
  *response.mutable_prompt_logprobs() = ToProto(prompt);
  Write(response);
}

void GenerateCall::Delta(const AnswerDelta& delta) {
  v1::GenerateResponse response;
  *response.mutable_delta() = ToProto(delta);
  Write(response);
}

void GenerateCall::Finished(const AnswerFinished& finished) {
  v1::GenerateResponse response;
  *response.mutable_finished() = ToProto(finished);
  Write(response);
}

void GenerateCall::Write(const v1::GenerateResponse& response) {
  Push(response.SerializeAsString());
}

void GenerateCall::End(const absl::Status& status) {
  AddTrailers(status, request_id_, *server_context_);
  GenerateStream::End(ToGrpcStatus(status, request_id_));
}

void GenerateCall::Abort(const absl::Status& status) {
  const grpc::Status end = ToGrpcStatus(status);
  Drop(end);
  CancelCall(*server_context_, end);
}

std::size_t GenerateCall::unsent() { return queued_bytes(); }

}  // namespace apollo
