#include "model/tokenizer/known_splitters.h"
#include "model/tokenizer/splitter.h"

namespace apollo {

absl::StatusOr<std::unique_ptr<const Splitter>> MakePatternSplitter(
    std::string_view pattern) {
  std::unique_ptr<const Splitter> known = MakeKnownSplitter(pattern);
  if (known != nullptr) return known;
  return MakeRegexSplitter(pattern);
}

}  // namespace apollo
