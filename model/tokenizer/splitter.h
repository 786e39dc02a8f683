#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <string_view>
#include <vector>

namespace apollo {

// Cuts text where no token may reach across. Immutable, so safe from any
// thread.
class Splitter {
 public:
  virtual ~Splitter() = default;

  // Appends the pieces of `text`, which must be UTF-8: in order, none empty,
  // together the whole text. RESOURCE_EXHAUSTED if a limit on steps or memory
  // is hit; the pieces are then of no use.
  virtual absl::Status Split(std::string_view text,
                             std::vector<std::string_view>* pieces) const = 0;
};

// The pieces are the matches of a regular expression in Oniguruma's syntax, and
// what lies between them ("Isolated"). Patterns in known_patterns.h get a
// hand-written splitter, others the one of MakeRegexSplitter. INVALID_ARGUMENT
// or UNIMPLEMENTED for patterns that cannot be used.
absl::StatusOr<std::unique_ptr<const Splitter>> MakePatternSplitter(
    std::string_view pattern);

// Always the general one, on PCRE2. Its Unicode version is that of the
// installed PCRE2 (14.0 in Debian 12), while the `tokenizers` library has 16.0:
// characters assigned in between count as neither letters nor digits.
absl::StatusOr<std::unique_ptr<const Splitter>> MakeRegexSplitter(
    std::string_view pattern);

// Cuts digits of all scripts (general category N) from the rest: each alone, or
// runs of them.
std::unique_ptr<const Splitter> MakeDigitsSplitter(bool individual);

}  // namespace apollo
