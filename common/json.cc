#include "common/json.h"

#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <utility>
#include <vector>

#include "common/strings.h"

namespace apollo {

absl::StatusOr<Json> ParseJson(std::string_view text, std::string_view source,
                               const JsonLimits& limits) {
  bool too_deep = false;
  bool duplicate = false;
  // One set of seen keys for each object that is open.
  std::vector<absl::flat_hash_set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    switch (event) {
      case Json::parse_event_t::object_start:
      case Json::parse_event_t::array_start:
        if (static_cast<std::size_t>(depth) >= limits.max_depth) {
          too_deep = true;
        }
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        break;
      case Json::parse_event_t::object_end:
        keys.pop_back();
        break;
      case Json::parse_event_t::key:
        if (!keys.back().insert(value.get_ref<const std::string&>()).second) {
          duplicate = true;
        }
        break;
      default:
        break;
    }
    return !too_deep;  // False drops the value, so nothing deep is ever built.
  };
  Json json;
  try {
    json = Json::parse(text, watch, /*allow_exceptions=*/false);
  } catch (...) {
    // Even without exceptions the library throws when memory runs out.
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(source), ": broken JSON"));
  }
  if (too_deep) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(source), ": JSON nested deeper than ", limits.max_depth));
  }
  if (json.is_discarded()) {
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(source), ": broken JSON"));
  }
  if (duplicate) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(source), ": a key occurs twice in one JSON object"));
  }
  return json;
}

}  // namespace apollo
