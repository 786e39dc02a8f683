#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "router/session/score_session.h"

namespace apollo {

// One Score call of gRPC: reads the request, and answers with the result of its
// session. Deletes itself when gRPC is done with it.
class ScoreCall final : public grpc::ServerUnaryReactor, private ScoreWriter {
 public:
  // Starts the tenant's call. `response` and `server_context` belong to gRPC
  // and live until the call is over.
  static ScoreCall* Start(const SessionContext& context,
                          grpc::CallbackServerContext* server_context,
                          std::string tenant, const grpc::ByteBuffer& request,
                          grpc::ByteBuffer* response);

 private:
  ScoreCall(const SessionContext& context,
            grpc::CallbackServerContext* server_context, std::string tenant,
            grpc::ByteBuffer* response);

  // Of the reactor.
  void OnCancel() override;
  void OnDone() override;

  // Of the session.
  void Scored(const ScoreResult& result) override;
  void End(const absl::Status& status) override;
  void Abort(const absl::Status& status) override;
  std::size_t unsent() override { return 0; }

  grpc::CallbackServerContext* const server_context_;
  grpc::ByteBuffer* const response_;
  const std::chrono::system_clock::time_point arrived_;
  const std::shared_ptr<ScoreSession> session_;
};

}  // namespace apollo
