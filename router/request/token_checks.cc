#include "router/request/token_checks.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "common/strings.h"

namespace apollo {

void CheckTokens(std::string_view field,
                 const std::vector<std::int32_t>& tokens,
                 const RequestLimits& limits, FieldErrors& errors) {
  const auto bad =
      std::find_if(tokens.begin(), tokens.end(), [&limits](std::int32_t token) {
        return token < 0 || token >= limits.vocab_size;
      });
  if (bad == tokens.end()) return;
  errors.Add(absl::StrCat(ToAbsl(field), "[", bad - tokens.begin(), "]"),
             absl::StrCat("is outside the vocabulary; it must be from 0 to ",
                          limits.vocab_size - 1));
}

}  // namespace apollo
