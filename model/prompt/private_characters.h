#pragma once

#include <cstdint>

// Characters of the private plane 15 that stand for others while a chat is
// rendered. They are not in the text that is encoded, unless a message has them
// (see HiddenText and ControlMarks).
namespace apollo {

// HiddenText: the first is an escape; the others stand for characters.
inline constexpr std::int32_t kHiddenBegin = 0xF0000;
inline constexpr std::int32_t kHiddenEnd = 0xF4000;
// ControlMarks: each stands for a control token.
inline constexpr std::int32_t kMarksBegin = 0xF4000;
inline constexpr std::int32_t kMarksEnd = 0xFE000;

}  // namespace apollo
