#include "router/grpc/score_call.h"

#include <utility>

#include "common/status_macros.h"
#include "proto/apollo/v1/inference.pb.h"
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
                     std::unique_ptr<CallPass> pass, grpc::ByteBuffer* response)
    : facts_(server_context),
      response_(response),
      session_(ScoreSession::Make(context, std::move(pass), *this)) {}

ScoreCall* ScoreCall::Start(const SessionContext& context,
                            grpc::CallbackServerContext* server_context,
                            Admission admission,
                            const grpc::ByteBuffer& request,
                            grpc::ByteBuffer* response) {
  auto* const call = new ScoreCall(context, server_context,
                                   std::move(admission.pass), response);
  call->facts_.Introduce(*call->session_, request, context);
  call->facts_.Start<ScoreInput>(*call->session_, admission.status, request,
                                 [&] { return Read(context.model, request); });
  return call;
}

void ScoreCall::OnCancel() { session_->Cancel(facts_.WhyCancelled()); }

void ScoreCall::OnDone() {
  session_->Close();
  delete this;
}

void ScoreCall::Scored(const ScoreResult& result) {
  *response_ = SerializeResponse(ToProto(result));
}

void ScoreCall::End(const absl::Status& status) { Finish(facts_.End(status)); }

void ScoreCall::Abort(const absl::Status& status) {
  // End has been called: there is no output before it.
  facts_.Abort(status);
}

}  // namespace apollo
