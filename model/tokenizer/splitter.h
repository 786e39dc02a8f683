#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <string_view>
#include <vector>

#include "model/tokenizer/split_behavior.h"

namespace apollo {

// Splits text at positions that no token may cross. Immutable, therefore
// thread-safe.
class Splitter {
 public:
  virtual ~Splitter() = default;

  // Appends the pieces of `text`, which must be UTF-8. They are in order, not
  // empty, and together form the whole text, unless the splitter removes parts
  // of it. Returns RESOURCE_EXHAUSTED if a limit on steps or memory is hit; the
  // pieces are then meaningless.
  virtual absl::Status Split(std::string_view text,
                             std::vector<std::string_view>* pieces) const = 0;

  struct Part {
    std::string_view text;
    bool match;  // Of the pattern; else text between matches.
  };
  // Appends the same pieces and tells which of them are matches. By default all
  // are.
  virtual absl::Status Match(std::string_view text,
                             std::vector<Part>* parts) const;
};

// Returns a splitter whose pieces are the matches of a regular expression in
// Oniguruma syntax and the text between them ("Isolated"). Patterns in
// known_patterns.h get a hand-written splitter, others that of
// MakeRegexSplitter. Returns INVALID_ARGUMENT or UNIMPLEMENTED for patterns
// that cannot be used.
absl::StatusOr<std::unique_ptr<const Splitter>> MakePatternSplitter(
    std::string_view pattern);

// Returns a splitter whose pieces are the occurrences of `text` (not empty) and
// the text between them.
std::unique_ptr<const Splitter> MakeLiteralSplitter(std::string_view text);

// Returns a splitter that treats the matches of another as `behavior` says. If
// `invert`, the text between them counts as matches.
std::unique_ptr<const Splitter> MakeBehaviorSplitter(
    std::unique_ptr<const Splitter> matches, SplitBehavior behavior,
    bool invert);

// Returns the general splitter, on PCRE2. Its Unicode version is that of the
// installed PCRE2 (14.0 in Debian 12), while the `tokenizers` library has 16.0:
// characters assigned in between count as neither letters nor digits.
absl::StatusOr<std::unique_ptr<const Splitter>> MakeRegexSplitter(
    std::string_view pattern);

// Returns a splitter that separates digits of all scripts (general category N)
// from the rest: each on its own, or in runs.
std::unique_ptr<const Splitter> MakeDigitsSplitter(bool individual);

}  // namespace apollo
