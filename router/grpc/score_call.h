#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "router/grpc/call_facts.h"
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
            std::unique_ptr<CallPass> pass, grpc::ByteBuffer* response);

  // grpc::ServerUnaryReactor:
  void OnCancel() override;
  void OnDone() override;

  // ScoreWriter:
  void Scored(const ScoreResult& result) override;
  void End(const absl::Status& status) override;
  void Abort(const absl::Status& status) override;
  std::size_t unsent() override { return 0; }

  CallFacts facts_;
  grpc::ByteBuffer* const response_;
  const std::shared_ptr<ScoreSession> session_;
};

}  // namespace apollo
