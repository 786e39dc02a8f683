#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "model/tokenizer/unicode_form.h"

namespace apollo {

// Normalizes `text` (UTF-8) with ICU. Returns `text` if nothing changes, else
// the result, which is stored in `storage`.
//
// The `tokenizers` library normalizes with Unicode 9.0 data and does not know
// later combining marks. This function does the same, to give the same ids.
absl::StatusOr<std::string_view> NormalizeUnicode(UnicodeForm form,
                                                  std::string_view text,
                                                  std::string* storage);

// Normalizes to form C.
absl::StatusOr<std::string_view> NormalizeNfc(std::string_view text,
                                              std::string* storage);

}  // namespace apollo
