#include "router/grpc/complete_call.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "router/grpc/cancelling.h"
#include "router/grpc/generate_call.h"
#include "router/grpc/grpc_status.h"
#include "router/grpc/to_proto.h"
#include "router/grpc/wire_request.h"

namespace apollo {

CompleteCall::CompleteCall(const SessionContext& context,
                           grpc::CallbackServerContext* server_context,
                           std::string tenant, std::string request_id,
                           grpc::ByteBuffer* response)
    : server_context_(server_context),
      response_(response),
      arrived_(std::chrono::system_clock::now()),
      session_(
          GenerateSession::Make(context, std::move(tenant), *this, "Complete")),
      request_id_(request_id.empty() ? session_->request_id()
                                     : std::move(request_id)) {
  session_->SetRequestId(request_id_);
}

CompleteCall* CompleteCall::Start(const SessionContext& context,
                                  grpc::CallbackServerContext* server_context,
                                  std::string tenant,
                                  const grpc::ByteBuffer& request,
                                  grpc::ByteBuffer* response) {
  auto* const call =
      new CompleteCall(context, server_context, std::move(tenant),
                       PeekRequestId(request), response);
  call->session_->Start([&]() -> absl::StatusOr<GenerateInput> {
    if (!request.Valid()) return call->WhyCancelled();
    return ParseGenerate(context.model, request);
  });
  return call;
}

absl::Status CompleteCall::WhyCancelled() const {
  return CancelReason(arrived_, server_context_->deadline(),
                      std::chrono::system_clock::now());
}

void CompleteCall::OnCancel() { session_->Cancel(WhyCancelled()); }

void CompleteCall::OnDone() {
  session_->Close();
  delete this;
}

v1::CompletedChoice& CompleteCall::Choice(int number) {
  while (result_.choices_size() <= number) result_.add_choices();
  return *result_.mutable_choices(number);
}

void CompleteCall::Started(const AnswerStarted& started) {
  *result_.mutable_started() = ToProto(started);
}

void CompleteCall::Prompt(const AnswerPrompt& prompt) {
  v1::PromptLogprobs piece = ToProto(prompt);
  bytes_ += piece.ByteSizeLong();
  v1::PromptLogprobs& all = *result_.mutable_prompt_logprobs();
  // Merging lists appends them.
  if (all.token_ids_size() > 0) piece.clear_index();
  all.MergeFrom(piece);
}

void CompleteCall::Delta(const AnswerDelta& delta) {
  const v1::GenerateDelta piece = ToProto(delta);
  bytes_ += piece.ByteSizeLong();
  v1::CompletedChoice& choice = Choice(delta.choice);
  choice.mutable_text()->append(piece.text());
  choice.mutable_token_ids()->MergeFrom(piece.token_ids());
  choice.mutable_logprobs()->MergeFrom(piece.logprobs());
}

void CompleteCall::Finished(const AnswerFinished& finished) {
  *Choice(finished.choice).mutable_finished() = ToProto(finished);
}

absl::Status CompleteCall::room() {
  if (bytes_ <= kMaxResponseBytes) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the response would have more than ", kMaxResponseBytes,
      " bytes; use Generate, or ask for fewer tokens, choices or alternatives: "
      "a retry would fail too"));
}

void CompleteCall::End(const absl::Status& status) {
  absl::Status end = status;
  if (end.ok()) {
    bytes_ = result_.ByteSizeLong();
    end = room();
  }
  if (end.ok()) *response_ = SerializeResponse(result_);
  result_.Clear();
  AddTrailers(end, request_id_, *server_context_);
  Finish(ToGrpcStatus(end, request_id_));
}

void CompleteCall::Abort(const absl::Status& status) {
  // End has been called: there is no output before it.
  CancelCall(*server_context_, ToGrpcStatus(status));
}

}  // namespace apollo
