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
  RemoveLeading(&text);
  return text;
}

std::string StreamDecoder::Flush() {
  std::string text;
  AppendAsUtf8(std::exchange(pending_, std::string()), &text);
  RemoveLeading(&text);
  may_remove_ = leading_.count;
  return text;
}

void StreamDecoder::RemoveLeading(std::string* text) {
  while (may_remove_ > 0 && !text->empty()) {
    if (text->starts_with(leading_.character)) {
      text->erase(0, leading_.character.size());
      --may_remove_;
    } else {
      may_remove_ = 0;
    }
  }
}

}  // namespace apollo
