#pragma once

#include <functional>
#include <string>
#include <utility>

#include "proto/apollo/v1/inference.grpc.pb.h"
#include "router/session/session.h"

namespace apollo {

// Returns the tenant that made a call. Thread-safe.
using TenantOf = std::function<std::string(const grpc::ServerContextBase&)>;

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
  // Different tenants share no cached prefixes (GenerationRequest::cache_salt).
  // Without `tenant_of`, all callers are one tenant.
  explicit InferenceService(const SessionContext& context,
                            TenantOf tenant_of = nullptr)
      : context_(context), tenant_of_(std::move(tenant_of)) {}

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
  std::string Tenant(const grpc::ServerContextBase& server_context) const;
  // Returns the caller for the audit log.
  AuditCaller Audited(const grpc::ServerContextBase& server_context) const;

  const SessionContext context_;
  const TenantOf tenant_of_;
};

}  // namespace apollo
