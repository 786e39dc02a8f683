#include "model/tokenizer/stream_decoder.h"

#include <utility>

#include "model/tokenizer/utf8.h"

namespace apollo {

std::string StreamDecoder::Append(TokenId id) {
  std::string text;
  if (skip_special_ && tokenizer_.IsSpecial(id)) return text;
  pending_.append(tokenizer_.TokenBytes(id));
  const std::size_t certain = WithoutUnfinishedUtf8(pending_);
  AppendAsUtf8(std::string_view(pending_).substr(0, certain), &text);
  pending_.erase(0, certain);
  return text;
}

std::string StreamDecoder::Flush() {
  std::string text;
  AppendAsUtf8(std::exchange(pending_, std::string()), &text);
  return text;
}

}  // namespace apollo
