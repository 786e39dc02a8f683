#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "proto/apollo/v1/inference.pb.h"
#include "router/grpc/wire_request.h"
#include "router/session/generate_session.h"
#include "serving/queued_writer.h"

namespace apollo {

// Serialized messages take less memory while they wait.
using GenerateStream =
    QueuedWriter<grpc::ByteBuffer, grpc::ServerWriteReactor<grpc::ByteBuffer>,
                 std::string, ToByteBuffer>;

// One Generate call of gRPC: reads the request, and writes what its session
// tells to the client's stream. Made for each call; deletes itself when gRPC is
// done with it.
class GenerateCall final : public GenerateStream, private GenerateWriter {
 public:
  // Starts the tenant's call with the request as it came. The reactor for gRPC,
  // whose `server_context` lives as long as that.
  static GenerateCall* Start(const SessionContext& context,
                             grpc::CallbackServerContext* server_context,
                             std::string tenant,
                             const grpc::ByteBuffer& request);

 private:
  GenerateCall(const SessionContext& context,
               grpc::CallbackServerContext* server_context, std::string tenant);

  // Of the reactor.
  void OnCancel() override;
  void OnWritten() override;
  void Over() override;

  // Of the session.
  void Started(const AnswerStarted& started) override;
  void Delta(const AnswerDelta& delta) override;
  void Finished(const AnswerFinished& finished) override;
  void End(const absl::Status& status) override;
  void Abort(const absl::Status& status) override;
  std::size_t unsent() override;

  void Write(const v1::GenerateResponse& response);

  grpc::CallbackServerContext* const server_context_;
  const std::chrono::system_clock::time_point arrived_;
  const std::shared_ptr<GenerateSession> session_;
};

}  // namespace apollo
