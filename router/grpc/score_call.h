#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "router/session/score_session.h"

namespace apollo {

// The gRPC reactor of one Score call: reads the request and responds with the
// result of its session. Deletes itself when gRPC is done with the call.
class ScoreCall final : public grpc::ServerUnaryReactor, private ScoreWriter {
 public:
  // Starts a call, unless it was refused, with the serialized request and
  // returns its reactor. `response` and `server_context` belong to gRPC and
  // live until the call is over.
  static ScoreCall* Start(const SessionContext& context,
                          grpc::CallbackServerContext* server_context,
                          Admission admission, const grpc::ByteBuffer& request,
                          grpc::ByteBuffer* response);

 private:
  ScoreCall(const SessionContext& context,
            grpc::CallbackServerContext* server_context,
            std::unique_ptr<CallPass> pass, std::string request_id,
            grpc::ByteBuffer* response);

  // grpc::ServerUnaryReactor:
  void OnCancel() override;
  void OnDone() override;

  // ScoreWriter:
  void Scored(const ScoreResult& result) override;
  void End(const absl::Status& status) override;
  void Abort(const absl::Status& status) override;
  std::size_t unsent() override { return 0; }

  absl::Status WhyCancelled() const;

  grpc::CallbackServerContext* const server_context_;
  grpc::ByteBuffer* const response_;
  const std::chrono::system_clock::time_point arrived_;
  const std::shared_ptr<ScoreSession> session_;
  const std::string request_id_;  // In trailers; usually that of the session.
};

}  // namespace apollo
