#include "model/prompt/control_marks.h"

#include <algorithm>
#include <cstdint>

#include "model/prompt/characters.h"
#include "model/prompt/jinja_source.h"
#include "model/prompt/private_characters.h"

namespace apollo {
namespace {

bool IsMark(std::int32_t c) { return c >= kMarksBegin && c < kMarksEnd; }

std::string Mark(std::size_t index) {
  std::string mark;
  AppendCharacter(kMarksBegin + static_cast<std::int32_t>(index), &mark);
  return mark;
}

}  // namespace

std::optional<ControlMarks> ControlMarks::ForTokens(
    std::vector<std::string> control_tokens) {
  constexpr std::size_t kMost = kMarksEnd - kMarksBegin;
  if (control_tokens.size() > kMost) return std::nullopt;
  return ControlMarks(std::move(control_tokens));
}

std::string ControlMarks::MarkSource(std::string_view source) const {
  return MarkJinja(source, tokens_, Mark);
}

std::string ControlMarks::MarkToken(const std::string& text) const {
  const auto found = std::find(tokens_.begin(), tokens_.end(), text);
  return found == tokens_.end()
             ? text
             : Mark(static_cast<std::size_t>(found - tokens_.begin()));
}

bool ControlMarks::UsedIn(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (IsMark(NextCharacter(text, &at))) return true;
  }
  return false;
}

RenderedText ControlMarks::Unmark(std::string_view text) const {
  RenderedText out;
  std::size_t ordinary = 0;  // Start of the text behind the last token.
  const auto end_ordinary = [&] {
    if (out.text.size() > ordinary) {
      out.ordinary.push_back({ordinary, out.text.size()});
    }
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const std::int32_t c = NextCharacter(text, &at);
    const auto index = static_cast<std::size_t>(c - kMarksBegin);
    if (!IsMark(c) || index >= tokens_.size()) {
      out.text.append(text, begin, at - begin);
      continue;
    }
    end_ordinary();
    out.text += tokens_[index];
    ordinary = out.text.size();
  }
  end_ordinary();
  return out;
}

}  // namespace apollo
