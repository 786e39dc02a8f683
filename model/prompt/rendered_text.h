#pragma once

#include <string>
#include <vector>

#include "model/tokenizer/text_range.h"

namespace apollo {

// A chat as a prompt's text. No control token may touch the bytes `ordinary`
// (ascending, disjoint), which came from messages.
struct RenderedText {
  std::string text;
  std::vector<TextRange> ordinary;
};

}  // namespace apollo
