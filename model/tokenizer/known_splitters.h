#pragma once

#include <memory>
#include <string_view>

#include "model/tokenizer/splitter.h"

namespace apollo {

// The hand-written splitter for one of the patterns in known_patterns.h, or
// null for another pattern. About ten times as fast as MakeRegexSplitter's.
std::unique_ptr<const Splitter> MakeKnownSplitter(std::string_view pattern);

}  // namespace apollo
