#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "router/request/request.h"
#include "router/session/answer_text.h"
#include "router/session/events.h"

namespace apollo {

// Returns why an answer ended that the model or a stop string has ended. The
// rest of its text may have completed a stop string.
AnswerEnd EndOfAnswer(const AnswerText& text);

// What the tokens that a client has received of an answer mean for the rest.
struct ResumedState {
  // Set: they complete the answer, for this reason.
  std::optional<AnswerEnd> end;
  std::optional<std::int32_t> matched_token;  // The stop token, if it is one.
  std::string rest;      // With `end`: the text that follows.
  std::size_t skip = 0;  // Bytes of the next text that the client has.
};

// The tokens that end an answer.
struct AnswerTokens {
  std::set<std::int32_t> stops;  // Of the request.
  std::set<std::int32_t> ends;   // Of the model. They are in no answer.
  int most = 0;                  // As many tokens complete an answer.
};

// Passes the received tokens through `text`, a new one, which is then in the
// state in which the broken stream had it: the text that an answer has given is
// a function of its tokens. Returns a FieldError, which names a field of
// `resume.choices[choice]`, if the client cannot have received this.
absl::StatusOr<ResumedState> ResumeAnswer(const ResumedAnswer& received,
                                          int choice,
                                          const AnswerTokens& tokens,
                                          AnswerText& text);

}  // namespace apollo
