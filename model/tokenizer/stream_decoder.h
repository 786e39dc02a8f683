#pragma once

#include <string>

#include "model/tokenizer/tokenizer.h"

namespace apollo {

// Turns the tokens of one stream into text as they come. What Append and Flush
// returned, put together, is the UTF-8 of all the tokens' bytes, with each
// maximal invalid sequence replaced by U+FFFD: no character is cut, lost or
// repeated.
//
// Tokens may end in the middle of a character. Those bytes, three at most, wait
// for the next token.
//
// Not thread-safe. The tokenizer must outlive it.
class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
      : tokenizer_(tokenizer), skip_special_(skip_special) {}

  // The text that is certain now and was not before. Ids outside the vocabulary
  // (a model may have more rows than its tokenizer has tokens) have no text.
  std::string Append(TokenId id);

  // The rest at the end of the stream. A new stream may follow.
  std::string Flush();

 private:
  const Tokenizer& tokenizer_;
  const bool skip_special_;
  std::string pending_;  // The start of a character, 3 bytes at most.
};

}  // namespace apollo
