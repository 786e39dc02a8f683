#pragma once

#include <string>
#include <vector>

#include "model/tokenizer/stream_decoder.h"
#include "model/tokenizer/tokenizer.h"

namespace apollo {

// Turns the tokens of one answer into text: whole characters only, and nothing
// that is, or may become, part of a stop string. One thread at a time.
class AnswerText {
 public:
  // The tokenizer must outlive the object. Stop strings must not be empty.
  AnswerText(const Tokenizer& tokenizer, std::vector<std::string> stops)
      : decoder_(tokenizer, /*skip_special=*/true), stops_(std::move(stops)) {}

  // Appends a token and returns the text that has become final. When a stop
  // string is complete, sets stopped() and drops all that follows.
  std::string Append(TokenId token);

  // Returns the rest of the text, at the end of the answer.
  std::string Finish();

  bool stopped() const { return matched_stop_ >= 0; }
  // The index of the stop string that ended the text; -1 if none has.
  int matched_stop() const { return matched_stop_; }

 private:
  std::string Release(bool all);

  StreamDecoder decoder_;
  const std::vector<std::string> stops_;
  std::string held_;  // Possibly the beginning of a stop string.
  int matched_stop_ = -1;
};

}  // namespace apollo
