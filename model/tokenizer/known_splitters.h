#pragma once

#include <memory>
#include <string_view>

#include "model/tokenizer/splitter.h"

namespace apollo {

// Returns the hand-written splitter for a pattern of known_patterns.h, or null
// for other patterns. About ten times as fast as that of MakeRegexSplitter.
std::unique_ptr<const Splitter> MakeKnownSplitter(std::string_view pattern);

}  // namespace apollo
