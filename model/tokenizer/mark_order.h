#pragma once

#include <unicode/uniset.h>

#include <string>
#include <string_view>

namespace apollo {

// Puts each run of more than kLongMarkRun combining marks of `known` in `text`
// (UTF-8) into decomposed canonical order, keeping the order of marks of one
// class. The result is canonically equivalent, so all its normalisation forms
// are the same. Returns `text` if nothing changes, else the result, which is
// stored in `storage`. Takes O(n log n).
//
// This works around ICU, which inserts each mark that is out of order by
// walking back over those of higher classes: quadratic in the length of a run,
// 100 s for 1 MB.
inline constexpr int kLongMarkRun = 32;
std::string_view OrderLongMarkRuns(std::string_view text,
                                   const icu::UnicodeSet& known,
                                   std::string* storage);

}  // namespace apollo
