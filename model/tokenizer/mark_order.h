#pragma once

#include <unicode/uniset.h>

#include <string>
#include <string_view>

namespace apollo {

// `text` (UTF-8) with each run of more than kLongMarkRun combining marks of
// `known` decomposed and put into canonical order, marks of one class keeping
// theirs: text that is canonically equivalent, so that every normalisation form
// of it is the same. If it changes nothing, returns `text`; else the result,
// which lies in `storage`. Takes O(n log n).
//
// For ICU, which inserts each mark that is out of order by walking back over
// those of higher classes: quadratic in the length of a run, 100 s for 1 MB.
inline constexpr int kLongMarkRun = 32;
std::string_view OrderLongMarkRuns(std::string_view text,
                                   const icu::UnicodeSet& known,
                                   std::string* storage);

}  // namespace apollo
