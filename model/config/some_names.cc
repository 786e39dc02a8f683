#include "model/config/some_names.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "model/config/config_reader.h"

namespace apollo {

std::string SomeNames(std::span<const std::string> names) {
  constexpr std::size_t kMost = 8;
  std::string text;
  const std::size_t shown = std::min(kMost, names.size());
  for (std::size_t i = 0; i < shown; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", ShowJson(Json(names[i]), 100));
  }
  if (names.size() > shown) {
    absl::StrAppend(&text, " and ", names.size() - shown, " more");
  }
  return text;
}

}  // namespace apollo
