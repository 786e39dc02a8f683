#pragma once

#include <string>
#include <vector>

#include "model/tokenizer/stream_decoder.h"
#include "model/tokenizer/tokenizer.h"

namespace apollo {

// The text of one answer as its tokens come: whole characters only, and nothing
// that is, or may turn out to be, part of a stop string. One thread at a time.
class AnswerText {
 public:
  // The tokenizer must outlive it. Stops are not empty.
  AnswerText(const Tokenizer& tokenizer, std::vector<std::string> stops)
      : decoder_(tokenizer, /*skip_special=*/true), stops_(std::move(stops)) {}

  // The text that is certain now and was not before. Sets stopped() when a stop
  // string is complete; what follows it is dropped.
  std::string Append(TokenId token);

  // The rest, at the end of the answer.
  std::string Finish();

  bool stopped() const { return stopped_; }

 private:
  std::string Release(bool all);

  StreamDecoder decoder_;
  const std::vector<std::string> stops_;
  std::string held_;  // May be the beginning of a stop string.
  bool stopped_ = false;
};

}  // namespace apollo
