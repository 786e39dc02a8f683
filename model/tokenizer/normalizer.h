#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/tokenizer_json.h"

namespace apollo {

// The steps of "normalizer". Immutable, therefore thread-safe.
class Normalizer {
 public:
  explicit Normalizer(std::vector<NormalizerStep> steps)
      : steps_(std::move(steps)) {}

  bool empty() const { return steps_.empty(); }

  // Applies the steps to `text` (UTF-8). Without `start`, the text continues
  // another one and gets nothing in front. Returns `text` if nothing changes,
  // else the result, which is stored in `storage`. Returns INTERNAL if ICU
  // fails.
  absl::StatusOr<std::string_view> Normalize(std::string_view text, bool start,
                                             std::string* storage) const;

 private:
  std::vector<NormalizerStep> steps_;
};

}  // namespace apollo
