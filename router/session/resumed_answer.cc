#include "router/session/resumed_answer.h"

#include <absl/strings/str_cat.h>

#include "common/status_macros.h"
#include "router/request/field_error.h"

namespace apollo {
namespace {

std::string Field(int choice, const char* name) {
  return absl::StrCat("resume.choices[", choice, "].", name);
}

// Returns how many bytes more than `sent` the client has, of at most `more`.
absl::StatusOr<std::size_t> Extra(const ResumedAnswer& received, int choice,
                                  std::size_t sent, std::size_t more) {
  if (!received.text_bytes) return 0;
  const auto has = static_cast<std::size_t>(*received.text_bytes);
  if (has < sent || has > sent + more) {
    return FieldError(
        Field(choice, "text_bytes"),
        absl::StrCat("is ", has, "; with these tokens it must be from ", sent,
                     " to ", sent + more));
  }
  return has - sent;
}

}  // namespace

AnswerEnd EndOfAnswer(const AnswerText& text) {
  return text.stopped() && !text.turn_ended() ? AnswerEnd::kStop
                                              : AnswerEnd::kEos;
}

absl::StatusOr<ResumedState> ResumeAnswer(const ResumedAnswer& received,
                                          int choice,
                                          const AnswerTokens& tokens,
                                          AnswerText& text) {
  ResumedState state;
  std::size_t sent = 0;
  for (const std::int32_t token : received.tokens) {
    if (state.end) {
      return FieldError(Field(choice, "token_ids"),
                        "has tokens after the end of the answer");
    }
    if (tokens.ends.contains(token)) {
      return FieldError(
          Field(choice, "token_ids"),
          "has a token that ends the answer and is no part of it");
    }
    // As a session does with the tokens of a worker.
    const bool stops = tokens.stops.contains(token);
    sent += (stops ? text.Finish() : text.Append(token)).size();
    if (!stops && !text.stopped()) continue;
    state.end = text.stopped() ? EndOfAnswer(text) : AnswerEnd::kStop;
    state.matched_token = token;
  }
  if (state.end) {
    RETURN_IF_ERROR(Extra(received, choice, sent, 0).status());
    return state;
  }
  const std::string rest = AnswerText(text).Finish();
  ASSIGN_OR_RETURN(state.skip, Extra(received, choice, sent, rest.size()));
  if (static_cast<int>(received.tokens.size()) < tokens.most) return state;
  text.Finish();
  state.end = text.stopped() ? EndOfAnswer(text) : AnswerEnd::kLength;
  state.rest = rest;
  return state;
}

}  // namespace apollo
