#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/prompt/rendered_text.h"

namespace apollo {

// Marks the control tokens that a template writes: while a chat is rendered, a
// private character stands for each. All other text of the output is then known
// to be no control token of the template, wherever it came from. Immutable,
// therefore thread-safe.
class ControlMarks {
 public:
  // Returns nothing if there are more tokens than characters.
  static std::optional<ControlMarks> ForTokens(
      std::vector<std::string> control_tokens);

  // Returns the source of a template with marks (see MarkJinja).
  std::string MarkSource(std::string_view source) const;
  // Returns the mark of a text that is a control token, else the text.
  std::string MarkToken(const std::string& text) const;

  // Returns true if a text contains one of the characters.
  static bool UsedIn(std::string_view text);

  // Replaces marks by their tokens. All else is `ordinary`.
  RenderedText Unmark(std::string_view text) const;

 private:
  explicit ControlMarks(std::vector<std::string> tokens)
      : tokens_(std::move(tokens)) {}

  std::vector<std::string> tokens_;
};

}  // namespace apollo
