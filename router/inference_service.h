#pragma once

#include "common/ticker.h"
#include "proto/apollo/v1/inference.grpc.pb.h"
#include "router/generate_call.h"
#include "router/session/failure_log.h"

namespace apollo {

// The public service. Requests come as raw bytes, so that a field that is not
// UTF-8 can be named (see wire_request.h); GetModel and GetRouting have no such
// field. The context must outlive the service.
class InferenceService final
    : public v1::InferenceService::WithRawCallbackMethod_Generate<
          v1::InferenceService::WithRawCallbackMethod_Score<
              v1::InferenceService::WithRawCallbackMethod_Tokenize<
                  v1::InferenceService::WithRawCallbackMethod_DetectLanguage<
                      v1::InferenceService::WithCallbackMethod_GetModel<
                          v1::InferenceService::WithCallbackMethod_GetRouting<
                              v1::InferenceService::Service>>>>>> {
 public:
  explicit InferenceService(const RouterContext& context)
      : failures_(context.clock), context_(context) {
    context_.failures = &failures_;
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* Generate(
      grpc::CallbackServerContext* server_context,
      const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* Score(grpc::CallbackServerContext* server_context,
                                  const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Tokenize(
      grpc::CallbackServerContext* server_context,
      const grpc::ByteBuffer* request, grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DetectLanguage(
      grpc::CallbackServerContext* server_context,
      const grpc::ByteBuffer* request, grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetModel(
      grpc::CallbackServerContext* server_context,
      const v1::GetModelRequest* request,
      v1::GetModelResponse* response) override;
  grpc::ServerUnaryReactor* GetRouting(
      grpc::CallbackServerContext* server_context,
      const v1::GetRoutingRequest* request,
      v1::GetRoutingResponse* response) override;

 private:
  FailureLog failures_;
  RouterContext context_;
  Ticker ticker_{absl::Seconds(1), [this] { failures_.WriteDue(); }};
};

}  // namespace apollo
