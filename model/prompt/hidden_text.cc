#include "model/prompt/hidden_text.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <unicode/uchar.h>

#include <cstddef>

#include "model/prompt/characters.h"
#include "model/prompt/private_characters.h"

namespace apollo {
namespace {

constexpr std::int32_t kEscape = kHiddenBegin;

bool IsPrivate(std::int32_t c) { return c >= kHiddenBegin && c < kHiddenEnd; }

void AddRange(std::size_t begin, std::size_t end,
              std::vector<TextRange>* ranges) {
  if (!ranges->empty() && ranges->back().end == begin) {
    ranges->back().end = end;
  } else {
    ranges->push_back({begin, end});
  }
}

}  // namespace

absl::StatusOr<HiddenText> HiddenText::ForTokens(
    std::span<const std::string> control_tokens) {
  HiddenText hidden;
  for (const std::string& token : control_tokens) {
    bool has_text = false;
    for (std::size_t at = 0; at < token.size();) {
      const std::int32_t c = NextCharacter(token, &at);
      if (c < 0 || u_isUWhiteSpace(c)) continue;
      has_text = true;
      if (IsPrivate(c)) continue;
      const auto next = kHiddenBegin + 1 +
                        static_cast<std::int32_t>(hidden.from_private_.size());
      if (!hidden.to_private_.emplace(c, next).second) continue;
      hidden.from_private_.push_back(c);
      if (next + 1 == kHiddenEnd) {
        return absl::InvalidArgumentError(absl::StrCat(
            "the control tokens have more than ", kHiddenEnd - kHiddenBegin - 2,
            " different characters"));
      }
    }
    if (!has_text) {
      return absl::InvalidArgumentError(
          "the tokenizer has a special token of white space, which messages "
          "could contain");
    }
  }
  return hidden;
}

std::string HiddenText::Hide(std::string_view text) const {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const std::int32_t c = NextCharacter(text, &at);
    if (IsPrivate(c)) AppendCharacter(kEscape, &out);
    if (const auto found = to_private_.find(c); found != to_private_.end()) {
      AppendCharacter(found->second, &out);
    } else {
      out.append(text, begin, at - begin);
    }
  }
  return out;
}

RenderedText HiddenText::Show(std::string_view text) const {
  RenderedText out;
  bool escaped = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const std::int32_t c = NextCharacter(text, &at);
    if (c == kEscape && !escaped) {
      escaped = true;
      continue;
    }
    const auto index = static_cast<std::size_t>(c - kHiddenBegin - 1);
    const std::size_t start = out.text.size();
    if (IsPrivate(c) && !escaped && index < from_private_.size()) {
      AppendCharacter(from_private_[index], &out.text);
    } else {
      out.text.append(text, begin, at - begin);
    }
    if (IsPrivate(c)) AddRange(start, out.text.size(), &out.ordinary);
    escaped = false;
  }
  return out;
}

}  // namespace apollo
