#pragma once

#include <string>

#include "model/tokenizer/tokenizer.h"

namespace apollo {

// Decodes the tokens of a stream into text incrementally. The results of Append
// and Flush, concatenated, are the UTF-8 of Tokenizer::Decode of all tokens,
// with each maximal invalid sequence replaced by U+FFFD. No character is split,
// lost or repeated.
//
// If a token ends inside a character, its bytes (at most three) wait for the
// next token.
//
// Not thread-safe. The tokenizer must outlive the decoder.
class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
      : tokenizer_(tokenizer),
        skip_special_(skip_special),
        leading_(tokenizer.leading()),
        may_remove_(leading_.count) {}

  // Returns the text completed by this token. Ids outside the vocabulary (a
  // model may have more rows than its tokenizer has tokens) have no text.
  std::string Append(TokenId id);

  // Returns the remaining text at the end of the stream. A new stream may
  // follow.
  std::string Flush();

 private:
  // Removes the characters at the start of the stream that the decoder drops.
  void RemoveLeading(std::string* text);

  const Tokenizer& tokenizer_;
  const bool skip_special_;
  const Tokenizer::Leading leading_;
  int may_remove_;       // Characters that may still be removed.
  std::string pending_;  // An incomplete character, at most 3 bytes.
};

}  // namespace apollo
