#include "router/grpc/complete_call.h"

#include <absl/strings/str_cat.h>
#include <google/protobuf/io/coded_stream.h>

#include <cstdint>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "router/grpc/generate_call.h"
#include "router/grpc/to_proto.h"
#include "router/grpc/wire_request.h"
#include "router/request/field_error.h"

namespace apollo {
namespace {

// The most bytes that the tag and the length of one field take.
constexpr std::size_t kFieldBytes = 6;
// The same of those of a part, its text and its token ids.
constexpr std::size_t kPartBytes = 3 * kFieldBytes;

absl::StatusOr<GenerateInput> Read(const RouterModel& model,
                                   const grpc::ByteBuffer& buffer) {
  ASSIGN_OR_RETURN(GenerateInput input, ParseGenerate(model, buffer));
  if (input.resume) {
    return FieldError("resume",
                      "is set; Complete sends whole answers, so send the "
                      "request without it, and with the seed of `started`");
  }
  return input;
}

}  // namespace

CompleteCall::CompleteCall(const SessionContext& context,
                           grpc::CallbackServerContext* server_context,
                           std::unique_ptr<CallPass> pass,
                           grpc::ByteBuffer* response)
    : facts_(server_context),
      response_(response),
      session_(
          GenerateSession::Make(context, std::move(pass), *this, "Complete")) {}

CompleteCall* CompleteCall::Start(const SessionContext& context,
                                  grpc::CallbackServerContext* server_context,
                                  Admission admission,
                                  const grpc::ByteBuffer& request,
                                  grpc::ByteBuffer* response) {
  auto* const call = new CompleteCall(context, server_context,
                                      std::move(admission.pass), response);
  call->facts_.Introduce(*call->session_, request, context);
  call->facts_.Start<GenerateInput>(
      *call->session_, admission.status, request,
      [&] { return Read(context.model, request); });
  return call;
}

void CompleteCall::OnCancel() { session_->Cancel(facts_.WhyCancelled()); }

void CompleteCall::OnDone() {
  session_->Close();
  delete this;
}

CompleteCall::Part<v1::CompletedChoice>& CompleteCall::Choice(int number) {
  while (static_cast<int>(choices_.size()) <= number) {
    choices_.emplace_back();
    bytes_ += kPartBytes;
  }
  return choices_[number];
}

template <typename Message, typename Piece>
void CompleteCall::AddTokens(const Piece& piece, Part<Message>& part) {
  using google::protobuf::io::CodedOutputStream;
  for (const std::int32_t token : piece.token_ids()) {
    part.message.add_token_ids(token);
    bytes_ += CodedOutputStream::VarintSize32SignExtended(token);
  }
  Message logprobs;
  *logprobs.mutable_logprobs() = piece.logprobs();
  const std::size_t before = part.logprobs.size();
  logprobs.AppendToString(&part.logprobs);
  bytes_ += part.logprobs.size() - before;
}

void CompleteCall::Started(const AnswerStarted& started) {
  started_ = ToProto(started);
  bytes_ += started_.ByteSizeLong() + kFieldBytes;
}

void CompleteCall::Prompt(const AnswerPrompt& prompt) {
  const v1::PromptLogprobs piece = ToProto(prompt);
  if (prompt_.message.token_ids_size() == 0) {
    prompt_.message.set_index(piece.index());
    bytes_ += kPartBytes;
  }
  AddTokens(piece, prompt_);
}

void CompleteCall::Delta(const AnswerDelta& delta) {
  const v1::GenerateDelta piece = ToProto(delta);
  Part<v1::CompletedChoice>& choice = Choice(delta.choice);
  choice.message.mutable_text()->append(piece.text());
  bytes_ += piece.text().size();
  AddTokens(piece, choice);
}

void CompleteCall::Finished(const AnswerFinished& finished) {
  v1::GenerateFinished& out =
      *Choice(finished.choice).message.mutable_finished();
  out = ToProto(finished);
  bytes_ += out.ByteSizeLong() + kFieldBytes;
}

absl::Status CompleteCall::room() {
  if (bytes_ <= kMaxResponseBytes) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the response would have more than ", kMaxResponseBytes,
      " bytes; use Generate, or ask for fewer tokens, choices or alternatives: "
      "a retry would fail too"));
}

void CompleteCall::End(const absl::Status& status) {
  if (status.ok()) {
    v1::CompleteResponse response;
    *response.mutable_started() = std::move(started_);
    bool whole = true;
    for (Part<v1::CompletedChoice>& choice : choices_) {
      v1::CompletedChoice& out = *response.add_choices();
      out = std::move(choice.message);
      whole &= out.MergeFromString(choice.logprobs);
    }
    if (prompt_.message.token_ids_size() > 0) {
      v1::PromptLogprobs& out = *response.mutable_prompt_logprobs();
      out = std::move(prompt_.message);
      whole &= out.MergeFromString(prompt_.logprobs);
    }
    APOLLO_CHECK(whole);
    *response_ = SerializeResponse(response);
  }
  choices_.clear();
  prompt_ = {};
  Finish(facts_.End(status));
}

void CompleteCall::Abort(const absl::Status& status) {
  // End has been called: there is no output before it.
  facts_.Abort(status);
}

}  // namespace apollo
