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

// The steps of "pre_tokenizer", except the final byte-level spelling: text is
// split into pieces that are encoded one by one.
// Immutable, therefore thread-safe.
class PreTokenizer {
 public:
  static absl::StatusOr<PreTokenizer> Create(
      std::span<const PreTokenizerStep> steps);

  // Pieces point into the text, or into `extended` if a step changed them.
  struct Pieces {
    std::vector<std::string_view> pieces;
    std::deque<std::string> extended;  // Never moves its elements.
    std::vector<std::string_view> scratch;
  };

  // Replaces the contents of `out`. `start` tells that nothing precedes the
  // text. Pieces are valid as long as `text` and `out`, until the next call.
  // Returns the errors of Splitter.
  absl::Status Split(std::string_view text, bool start, Pieces* out) const;

 private:
  // Puts `prefix` before pieces that do not begin with it, then splits.
  struct Step {
    std::string prefix;
    bool only_at_start = false;
    std::string space;  // Replaces spaces first, if not empty.
    std::unique_ptr<const Splitter> splitter;  // May be null.
  };

  static absl::StatusOr<Step> MakeStep(const PreTokenizerStep& description);
  // Returns the piece, or a changed one in out->extended.
  static std::string_view Changed(const Step& step, std::string_view piece,
                                  bool start, Pieces* out);

  std::vector<Step> steps_;
};

}  // namespace apollo
