#include "model/tokenizer/char_class.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <iterator>

#include "common/check.h"

namespace apollo {
namespace {

struct Range {
  std::int32_t first, last;
};

// Letters and numbers added by Unicode 15.1 and 16.0, for older versions of ICU
// (Debian 12 has ICU 72 with Unicode 15.0).
constexpr Range kNewLetters[] = {
    {0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},
    {0x105C0, 0x105F3}, {0x10D4A, 0x10D65}, {0x10D6F, 0x10D85},
    {0x10EC2, 0x10EC4}, {0x11380, 0x11389}, {0x1138B, 0x1138B},
    {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113B7},
    {0x113D1, 0x113D1}, {0x113D3, 0x113D3}, {0x11BC0, 0x11BE0},
    {0x13460, 0x143FA}, {0x16100, 0x1611D}, {0x16D40, 0x16D6C},
    {0x18CFF, 0x18CFF}, {0x1E5D0, 0x1E5ED}, {0x1E5F0, 0x1E5F0},
    {0x2EBF0, 0x2EE5D},
};
constexpr Range kNewNumbers[] = {
    {0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9},
    {0x16130, 0x16139}, {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9},
    {0x1E5F1, 0x1E5FA},
};
// Numbers added by Unicode 17.0.
constexpr Range kNewestNumbers[] = {{0x11DE0, 0x11DE9}, {0x16FF4, 0x16FF6}};

// Called by ICU for each range of a general category.
UBool AddRange(const void* context, UChar32 start, UChar32 limit,
               UCharCategory category) {
  auto& classes =
      *static_cast<std::vector<std::uint8_t>*>(const_cast<void*>(context));
  const std::uint32_t mask = U_MASK(category);
  std::uint8_t value = kOther;
  if ((mask & U_GC_L_MASK) != 0) value = kLetter;
  if ((mask & U_GC_N_MASK) != 0) value = kNumber;
  std::fill(classes.begin() + start, classes.begin() + limit, value);
  // White space consists of separators and some control characters.
  if ((mask & (U_GC_Z_MASK | U_GC_CC_MASK)) != 0) {
    for (UChar32 c = start; c < limit; ++c) {
      if (u_isUWhiteSpace(c)) classes[c] = kSpace;
    }
  }
  return true;
}

}  // namespace

const CharClasses& CharClasses::Get() {
  static const CharClasses classes;
  return classes;
}

bool CharClasses::IsNewestNumber(const char* text) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text);
  UChar32 c;
  U8_GET_UNSAFE(bytes, 0, c);
  return std::any_of(
      std::begin(kNewestNumbers), std::end(kNewestNumbers),
      [c](const Range& range) { return c >= range.first && c <= range.last; });
}

CharClasses::CharClasses() {
  std::vector<std::uint8_t> classes(kCodePoints, kOther);
  u_enumCharTypes(AddRange, &classes);
  for (const Range& range : kNewLetters) {
    std::fill(classes.begin() + range.first, classes.begin() + range.last + 1,
              kLetter);
  }
  for (const Range& range : kNewNumbers) {
    std::fill(classes.begin() + range.first, classes.begin() + range.last + 1,
              kNumber);
  }
  classes['\r'] |= kNewline;
  classes['\n'] |= kNewline;
  for (std::uint32_t b = 0; b < block_of_.size(); ++b) {
    Block block;
    std::copy_n(classes.begin() + b * kBlockSize, kBlockSize, block.begin());
    const auto same = std::find(blocks_.begin(), blocks_.end(), block);
    APOLLO_CHECK(same - blocks_.begin() < 256);
    block_of_[b] = static_cast<std::uint8_t>(same - blocks_.begin());
    if (same == blocks_.end()) blocks_.push_back(block);
  }
}

}  // namespace apollo
