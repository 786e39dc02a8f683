#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace apollo {

// Unicode normalisation form C of `text` (UTF-8), by ICU. If it changes
// nothing, returns `text`; else the result, which lies in `storage`.
//
// The `tokenizers` library normalises with the data of Unicode 9.0, in which
// later combining marks are not known to be any. To give the same ids, so does
// this.
absl::StatusOr<std::string_view> NormalizeNfc(std::string_view text,
                                              std::string* storage);

}  // namespace apollo
