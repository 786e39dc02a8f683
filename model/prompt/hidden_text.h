#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/prompt/rendered_text.h"

namespace apollo {

// Replaces, in messages, all characters that occur in control tokens by private
// ones, so that a template passes them on as text that it does not know, and
// they can be told from the template's own in its output. White space stays as
// it is, because templates strip it. Immutable, therefore thread-safe.
class HiddenText {
 public:
  // Returns INVALID_ARGUMENT if the tokens have too many different characters,
  // or if one has only white space: texts could not be told from it.
  static absl::StatusOr<HiddenText> ForTokens(
      std::span<const std::string> control_tokens);

  // Returns the text (UTF-8) without characters of control tokens.
  std::string Hide(std::string_view text) const;

  // Undoes Hide in a text that contains hidden texts or parts of them. The
  // characters that had been hidden are `ordinary`.
  RenderedText Show(std::string_view text) const;

 private:
  HiddenText() = default;

  absl::flat_hash_map<std::int32_t, std::int32_t> to_private_;
  std::vector<std::int32_t> from_private_;
};

}  // namespace apollo
