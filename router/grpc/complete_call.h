#pragma once

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "proto/apollo/v1/inference.pb.h"
#include "router/grpc/call_facts.h"
#include "router/session/generate_session.h"

namespace apollo {

// The gRPC reactor of one Complete call: reads the request, collects the events
// of its session, and responds with all of them. Deletes itself when gRPC is
// done with the call.
class CompleteCall final : public grpc::ServerUnaryReactor,
                           private GenerateWriter {
 public:
  // The largest response, in bytes on the wire: what gRPC clients accept by
  // default. A larger one ends the call with FAILED_PRECONDITION.
  static constexpr std::size_t kMaxResponseBytes = 4'000'000;

  // Starts a call, unless it was refused, with the serialized request and
  // returns its reactor. `response` and `server_context` belong to gRPC and
  // live until the call is over.
  static CompleteCall* Start(const SessionContext& context,
                             grpc::CallbackServerContext* server_context,
                             Admission admission,
                             const grpc::ByteBuffer& request,
                             grpc::ByteBuffer* response);

 private:
  CompleteCall(const SessionContext& context,
               grpc::CallbackServerContext* server_context,
               std::unique_ptr<CallPass> pass, grpc::ByteBuffer* response);

  // grpc::ServerUnaryReactor:
  void OnCancel() override;
  void OnDone() override;

  // GenerateWriter, under the session's lock:
  void Started(const AnswerStarted& started) override;
  void Prompt(const AnswerPrompt& prompt) override;
  void Delta(const AnswerDelta& delta) override;
  void Finished(const AnswerFinished& finished) override;
  void End(const absl::Status& status) override;
  void Abort(const absl::Status& status) override;
  std::size_t unsent() override { return 0; }
  absl::Status room() override;

  // A part of the response. Its log-probabilities are kept serialized, since
  // messages would take several times as much memory.
  template <typename Message>
  struct Part {
    Message message;       // Without log-probabilities.
    std::string logprobs;  // A serialized Message with nothing else.
  };

  // Returns the part of a choice.
  Part<v1::CompletedChoice>& Choice(int number);
  // Adds tokens to a part.
  template <typename Message, typename Piece>
  void AddTokens(const Piece& piece, Part<Message>& part);

  CallFacts facts_;
  grpc::ByteBuffer* const response_;
  v1::GenerateStarted started_;
  Part<v1::PromptLogprobs> prompt_;
  std::vector<Part<v1::CompletedChoice>> choices_;
  // The size of the response on the wire, or some bytes more, but no less.
  std::size_t bytes_ = 0;
  const std::shared_ptr<GenerateSession> session_;
};

}  // namespace apollo
