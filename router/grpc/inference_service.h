#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "proto/apollo/v1/inference.grpc.pb.h"
#include "router/access/call_pass.h"
#include "router/access/rpc_method.h"
#include "router/session/session.h"

namespace apollo {

// Decides about a call of a method whose serialized request has this size; 0 if
// it has not been kept. Thread-safe.
using AdmitCall = std::function<Admission(
    RpcMethod, const grpc::ServerContextBase&, std::size_t message_bytes)>;

// The public service. Receives requests as raw bytes, so that errors can name a
// field that is not UTF-8 (see wire_request.h); the requests of GetModel and
// GetRouting have no text fields. The context must outlive the service.
class InferenceService final
    : public v1::InferenceService::WithRawCallbackMethod_Generate<
          v1::InferenceService::WithRawCallbackMethod_Complete<
              v1::InferenceService::WithRawCallbackMethod_Score<
                  v1::InferenceService::WithRawCallbackMethod_Tokenize<
                      v1::InferenceService::
                          WithRawCallbackMethod_DetectLanguage<
                              v1::InferenceService::WithCallbackMethod_GetModel<
                                  v1::InferenceService::
                                      WithCallbackMethod_GetRouting<
                                          v1::InferenceService::
                                              WithCallbackMethod_GetStatus<
                                                  v1::InferenceService::
                                                      Service>>>>>>>> {
 public:
  // Without `admit`, everybody may call everything, and nobody has a name.
  explicit InferenceService(const SessionContext& context,
                            AdmitCall admit = nullptr)
      : context_(context), admit_(std::move(admit)) {}

  grpc::ServerWriteReactor<grpc::ByteBuffer>* Generate(
      grpc::CallbackServerContext* server_context,
      const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* Complete(
      grpc::CallbackServerContext* server_context,
      const grpc::ByteBuffer* request, grpc::ByteBuffer* response) override;
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
  grpc::ServerUnaryReactor* GetStatus(
      grpc::CallbackServerContext* server_context,
      const v1::GetStatusRequest* request,
      v1::GetStatusResponse* response) override;

 private:
  Admission Admit(RpcMethod method,
                  const grpc::ServerContextBase& server_context,
                  const grpc::ByteBuffer* request) const;

  const SessionContext context_;
  const AdmitCall admit_;
};

}  // namespace apollo
