#include "router/grpc/generate_call.h"

#include <utility>

#include "common/status_macros.h"
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
                           std::unique_ptr<CallPass> pass)
    : facts_(server_context),
      session_(GenerateSession::Make(context, std::move(pass), *this)) {}

GenerateCall* GenerateCall::Start(const SessionContext& context,
                                  grpc::CallbackServerContext* server_context,
                                  Admission admission,
                                  const grpc::ByteBuffer& request) {
  auto* const call =
      new GenerateCall(context, server_context, std::move(admission.pass));
  call->facts_.Introduce(*call->session_, request, context);
  call->facts_.Start<GenerateInput>(
      *call->session_, admission.status, request,
      [&] { return ParseGenerate(context.model, request); });
  return call;
}

void GenerateCall::OnCancel() { session_->Cancel(facts_.WhyCancelled()); }

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
  GenerateStream::End(facts_.End(status));
}

void GenerateCall::Abort(const absl::Status& status) {
  Drop(ToGrpcStatus(status));
  facts_.Abort(status);
}

std::size_t GenerateCall::unsent() { return queued_bytes(); }

}  // namespace apollo
