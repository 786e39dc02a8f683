#include "clients/cpp/answer_record.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace apollo::clients {
namespace {

// Far above what any server takes (docs/api.md): 16.
constexpr std::uint32_t kMostChoices = 1024;

template <typename Repeated>
void DropFirst(int count, Repeated* items) {
  items->erase(items->begin(), items->begin() + count);
}

}  // namespace

AnswerRecord::AnswerRecord(v1::GenerateRequest request)
    : request_(std::move(request)), resume_(request_.resume()) {
  // Servers refuse more.
  const int choices = static_cast<int>(std::clamp<std::uint32_t>(
      request_.sampling().choices(), 1, kMostChoices));
  while (resume_.choices_size() < choices) resume_.add_choices();
}

v1::GenerateRequest AnswerRecord::NextRequest() const {
  v1::GenerateRequest request = request_;
  if (started_) *request.mutable_resume() = resume_;
  return request;
}

absl::StatusOr<bool> AnswerRecord::Take(v1::GenerateResponse* event) {
  if (event->has_started()) {
    const bool fresh = !started_;
    if (fresh) {
      started_ = true;
      resume_.set_seed(event->started().seed());
      resume_.set_language(event->started().language());
      resume_.set_family(event->started().family());
      // A router that does not know them does not lift the request's own.
      if (!event->started().numerics().empty()) {
        resume_.set_numerics(event->started().numerics());
      }
      if (request_.request_id().empty()) {
        request_.set_request_id(event->started().request_id());
      }
    }
    return fresh;
  }
  if (!started_) {
    return absl::DataLossError("an event came before `started`");
  }
  absl::Status status;
  if (event->has_delta()) {
    status = TakeDelta(event->delta());
  } else if (event->has_finished()) {
    status = TakeFinished(event->finished());
  } else if (event->has_prompt_logprobs()) {
    return TakePromptLogprobs(event->mutable_prompt_logprobs());
  }
  if (!status.ok()) return status;
  return true;
}

absl::Status AnswerRecord::TakeDelta(const v1::GenerateDelta& delta) {
  const auto choice = static_cast<int>(delta.choice());
  if (choice < 0 || choice >= resume_.choices_size() ||
      resume_.choices(choice).finished()) {
    return absl::DataLossError(absl::StrCat(
        "a delta is for choice ", delta.choice(), ", which gets none"));
  }
  v1::ResumedChoice& known = *resume_.mutable_choices(choice);
  const auto next = static_cast<std::uint32_t>(known.token_ids_size());
  if (delta.token_ids_size() > 0 && delta.index() != next) {
    return absl::DataLossError(
        absl::StrCat("a delta of choice ", choice, " begins with token ",
                     delta.index(), "; the next one is ", next));
  }
  // If the request gave tokens without the size of their text, it is unknown.
  if (known.has_text_bytes() || next == 0) {
    known.set_text_bytes(known.text_bytes() +
                         static_cast<std::uint32_t>(delta.text().size()));
  }
  known.mutable_token_ids()->MergeFrom(delta.token_ids());
  return absl::OkStatus();
}

absl::Status AnswerRecord::TakeFinished(const v1::GenerateFinished& finished) {
  const auto choice = static_cast<int>(finished.choice());
  if (choice < 0 || choice >= resume_.choices_size() ||
      resume_.choices(choice).finished()) {
    return absl::DataLossError(absl::StrCat("choice ", finished.choice(),
                                            " is finished twice, or "
                                            "does not exist"));
  }
  resume_.mutable_choices(choice)->set_finished(true);
  return absl::OkStatus();
}

bool AnswerRecord::TakePromptLogprobs(v1::PromptLogprobs* piece) {
  const int size = piece->token_ids_size();
  const std::int64_t known = std::clamp<std::int64_t>(
      static_cast<std::int64_t>(next_prompt_token_) - piece->index(), 0, size);
  const int drop = static_cast<int>(known);
  if (drop == size) return false;
  DropFirst(drop, piece->mutable_token_ids());
  DropFirst(std::min(drop, piece->logprobs_size()), piece->mutable_logprobs());
  piece->set_index(piece->index() + static_cast<std::uint32_t>(drop));
  next_prompt_token_ =
      piece->index() + static_cast<std::uint32_t>(piece->token_ids_size());
  return true;
}

bool AnswerRecord::complete() const {
  return started_ &&
         std::all_of(
             resume_.choices().begin(), resume_.choices().end(),
             [](const v1::ResumedChoice& choice) { return choice.finished(); });
}

}  // namespace apollo::clients
