#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "proto/apollo/v1/inference.pb.h"
#include "router/grpc/call_facts.h"
#include "router/grpc/wire_request.h"
#include "router/session/generate_session.h"
#include "serving/queued_writer.h"

namespace apollo {

// Reads a serialized request. Returns a FieldError with all wrong fields.
absl::StatusOr<GenerateInput> ParseGenerate(const RouterModel& model,
                                            const grpc::ByteBuffer& buffer);

// Responses are queued in serialized form, which takes less memory.
using GenerateStream =
    QueuedWriter<grpc::ByteBuffer, grpc::ServerWriteReactor<grpc::ByteBuffer>,
                 std::string, ToByteBuffer>;

// The gRPC reactor of one Generate call: reads the request and writes the
// events of its session to the client's stream. Deletes itself when gRPC is
// done with the call.
class GenerateCall final : public GenerateStream, private GenerateWriter {
 public:
  // Starts a call, unless it was refused, with the serialized request and
  // returns its reactor. `server_context` belongs to gRPC and lives until the
  // call is over.
  static GenerateCall* Start(const SessionContext& context,
                             grpc::CallbackServerContext* server_context,
                             Admission admission,
                             const grpc::ByteBuffer& request);

 private:
  GenerateCall(const SessionContext& context,
               grpc::CallbackServerContext* server_context,
               std::unique_ptr<CallPass> pass);

  // GenerateStream:
  void OnCancel() override;
  void OnWritten() override;
  void Over() override;

  // GenerateWriter:
  void Started(const AnswerStarted& started) override;
  void Prompt(const AnswerPrompt& prompt) override;
  void Delta(const AnswerDelta& delta) override;
  void Finished(const AnswerFinished& finished) override;
  void End(const absl::Status& status) override;
  void Abort(const absl::Status& status) override;
  std::size_t unsent() override;

  void Write(const v1::GenerateResponse& response);

  CallFacts facts_;
  const std::shared_ptr<GenerateSession> session_;
};

}  // namespace apollo
