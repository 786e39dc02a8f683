#include "model/config/end_tokens.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <string_view>

#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

constexpr char kKey[] = "eos_token_id";

std::string RightIds(int vocab_size) {
  return absl::StrCat("a token id below ", vocab_size, " or a list of them");
}

absl::StatusOr<std::vector<std::int32_t>> ReadIds(const ConfigReader& reader,
                                                  int vocab_size) {
  std::vector<std::int32_t> ids;
  const Json* value = reader.Find(kKey);
  if (value == nullptr) return ids;
  const Json list = value->is_array() ? *value : Json::array({*value});
  for (const Json& entry : list) {
    if (!entry.is_number_integer() || entry < 0 || entry >= vocab_size) {
      return reader.Wrong(kKey, *value, RightIds(vocab_size));
    }
    ids.push_back(entry.get<std::int32_t>());
  }
  return ids;
}

}  // namespace

absl::StatusOr<EndTokens> ReadEndTokens(const ConfigReader& config,
                                        const ConfigReader* generation,
                                        int vocab_size,
                                        std::vector<std::string>& warnings) {
  EndTokens ends;
  ASSIGN_OR_RETURN(ends.all, ReadIds(config, vocab_size));
  const ConfigReader* said = config.Find(kKey) != nullptr ? &config : nullptr;
  if (generation != nullptr && generation->Find(kKey) != nullptr) {
    said = said != nullptr ? said : generation;
    ASSIGN_OR_RETURN(const auto ids, ReadIds(*generation, vocab_size));
    for (const std::int32_t id : ids) {
      if (std::find(ends.all.begin(), ends.all.end(), id) != ends.all.end()) {
        continue;
      }
      ends.all.push_back(id);
      ends.added.push_back(id);
    }
  }
  if (said == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        config.Missing(kKey).message(),
        ", so that no answer would end; it must be ", RightIds(vocab_size),
        ", here or in generation_config.json"));
  }
  if (ends.all.empty()) {
    warnings.push_back(
        absl::StrCat(ToAbsl(said->source()), ": \"", kKey,
                     "\" is [], so that answers end only at their limits"));
  }
  return ends;
}

}  // namespace apollo
