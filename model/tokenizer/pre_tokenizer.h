#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/splitter.h"
#include "model/tokenizer/tokenizer_json.h"

namespace apollo {

// The steps of "pre_tokenizer", except the final byte-level spelling.
// Immutable, therefore thread-safe.
class PreTokenizer {
 public:
  static absl::StatusOr<PreTokenizer> Create(
      std::span<const PreTokenizerStep> steps);

  // Pieces point into the text, or into `extended` if a space was prepended.
  struct Pieces {
    std::vector<std::string_view> pieces;
    std::deque<std::string> extended;  // Never moves its elements.
    std::vector<std::string_view> scratch;
  };

  // Replaces the contents of `out`. Pieces are valid as long as `text` and
  // `out`, until the next call. Returns the errors of Splitter.
  absl::Status Split(std::string_view text, Pieces* out) const;

 private:
  struct Step {
    bool add_prefix_space = false;
    std::unique_ptr<const Splitter> splitter;  // May be null.
  };
  std::vector<Step> steps_;
};

}  // namespace apollo
