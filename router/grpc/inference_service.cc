#include "router/grpc/inference_service.h"

#include <vector>

#include "common/status_macros.h"
#include "router/grpc/complete_call.h"
#include "router/grpc/generate_call.h"
#include "router/grpc/grpc_status.h"
#include "router/grpc/routing_call.h"
#include "router/grpc/score_call.h"
#include "router/grpc/status_call.h"
#include "router/grpc/status_size.h"
#include "router/grpc/to_proto.h"
#include "router/grpc/unary_call.h"
#include "router/grpc/wire_request.h"
#include "router/model/language_choice.h"
#include "router/request/request_checks.h"

namespace apollo {
namespace {

absl::Status TokenizeText(const RouterModel& model,
                          const grpc::ByteBuffer& buffer,
                          grpc::ByteBuffer* out) {
  v1::TokenizeRequest request;
  RETURN_IF_ERROR(ParseRequest(buffer, request));
  RETURN_IF_ERROR(CheckText(request.text(), model.limits));
  ASSIGN_OR_RETURN(
      const std::vector<TokenId> ids,
      model.tokenizer->Encode(request.text(), request.parse_special_tokens()
                                                  ? SpecialText::kParse
                                                  : SpecialText::kPlain));
  v1::TokenizeResponse response;
  for (const TokenId id : ids) {
    response.add_token_ids(id);
    response.add_tokens(std::string(model.tokenizer->TokenBytes(id)));
  }
  *out = SerializeResponse(response);
  return absl::OkStatus();
}

absl::Status DetectText(const RouterModel& model,
                        const grpc::ByteBuffer& buffer, grpc::ByteBuffer* out) {
  v1::DetectLanguageRequest request;
  RETURN_IF_ERROR(ParseRequest(buffer, request));
  RETURN_IF_ERROR(CheckText(request.text(), model.limits));
  *out = SerializeResponse(ToProto(DetectLanguage(model, request.text())));
  return absl::OkStatus();
}

}  // namespace

Admission InferenceService::Admit(RpcMethod method,
                                  const grpc::ServerContextBase& server_context,
                                  const grpc::ByteBuffer* request) const {
  if (admit_ == nullptr) return {};
  // gRPC passes an invalid buffer if the client left.
  const bool has_bytes = request != nullptr && request->Valid();
  return admit_(method, server_context, has_bytes ? request->Length() : 0);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* InferenceService::Generate(
    grpc::CallbackServerContext* server_context,
    const grpc::ByteBuffer* request) {
  return GenerateCall::Start(
      context_, server_context,
      Admit(RpcMethod::kGenerate, *server_context, request), *request);
}

grpc::ServerUnaryReactor* InferenceService::Complete(
    grpc::CallbackServerContext* server_context,
    const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return CompleteCall::Start(
      context_, server_context,
      Admit(RpcMethod::kComplete, *server_context, request), *request,
      response);
}

grpc::ServerUnaryReactor* InferenceService::Score(
    grpc::CallbackServerContext* server_context,
    const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ScoreCall::Start(context_, server_context,
                          Admit(RpcMethod::kScore, *server_context, request),
                          *request, response);
}

grpc::ServerUnaryReactor* InferenceService::Tokenize(
    grpc::CallbackServerContext* server_context,
    const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return UnaryCall::Start(
      context_, "Tokenize", server_context,
      Admit(RpcMethod::kTokenize, *server_context, request),
      [&] { return TokenizeText(context_.model, *request, response); },
      UnaryCall::kAudited);
}

grpc::ServerUnaryReactor* InferenceService::DetectLanguage(
    grpc::CallbackServerContext* server_context,
    const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return UnaryCall::Start(
      context_, "DetectLanguage", server_context,
      Admit(RpcMethod::kDetectLanguage, *server_context, request),
      [&] { return DetectText(context_.model, *request, response); },
      UnaryCall::kAudited);
}

grpc::ServerUnaryReactor* InferenceService::GetModel(
    grpc::CallbackServerContext* server_context,
    const v1::GetModelRequest* /*request*/, v1::GetModelResponse* response) {
  return UnaryCall::Start(
      context_, "GetModel", server_context,
      Admit(RpcMethod::kGetModel, *server_context, /*request=*/nullptr), [&] {
        *response = ToProto(context_.model, context_.backend.ModelHash());
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* InferenceService::GetRouting(
    grpc::CallbackServerContext* server_context,
    const v1::GetRoutingRequest* request, v1::GetRoutingResponse* response) {
  grpc::ServerUnaryReactor* reactor = server_context->DefaultReactor();
  StartRoutingCall(
      context_, server_context,
      Admit(RpcMethod::kGetRouting, *server_context, /*request=*/nullptr),
      *request, response, reactor);
  return reactor;
}

grpc::ServerUnaryReactor* InferenceService::GetStatus(
    grpc::CallbackServerContext* server_context,
    const v1::GetStatusRequest* request, v1::GetStatusResponse* response) {
  grpc::ServerUnaryReactor* reactor = server_context->DefaultReactor();
  StartStatusCall(
      context_, server_context,
      Admit(RpcMethod::kGetStatus, *server_context, /*request=*/nullptr),
      MostBytesOf(*request), response, reactor);
  return reactor;
}

}  // namespace apollo
