#include "model/config/rope_base.h"

#include <absl/strings/str_cat.h>

#include <optional>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/config/config_reader.h"

namespace apollo {
namespace {

constexpr char kKey[] = "rope_theta";

// Returns nullopt if `reader` has no base.
absl::StatusOr<std::optional<double>> BaseOf(const ConfigReader& reader) {
  if (reader.Find(kKey) == nullptr) return std::nullopt;
  ASSIGN_OR_RETURN(const double base, reader.Positive(kKey));
  return base;
}

}  // namespace

absl::StatusOr<double> ReadRopeBase(const Json& config, std::string_view source,
                                    std::vector<std::string>& warnings) {
  const ConfigReader reader(config, source);
  ASSIGN_OR_RETURN(const std::optional<double> plain, BaseOf(reader));
  std::optional<double> base;
  std::string place;
  for (const char* object : {"rope_parameters", "rope_scaling"}) {
    const Json* rope = reader.Find(object);
    if (rope == nullptr || rope->empty()) continue;
    const std::string prefix = absl::StrCat(object, ".");
    ASSIGN_OR_RETURN(const std::optional<double> own,
                     BaseOf(ConfigReader(*rope, source, prefix)));
    if (!own) {
      // transformers ignores rope_parameters beside rope_scaling.
      if (!base || base == plain) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          ToAbsl(source), ": key \"", prefix, kKey,
          "\" is missing; it must be that of \"", place, "\", ", *base));
    }
    if (base && *own != *base) {
      return absl::InvalidArgumentError(
          absl::StrCat(ToAbsl(source), ": \"", prefix, kKey, "\" is ", *own,
                       "; it must be that of \"", place, "\", ", *base));
    }
    base = own;
    place = absl::StrCat(prefix, kKey);
  }
  if (!base) {
    if (plain) return *plain;
    return reader.Missing(kKey);
  }
  if (plain && *plain != *base) {
    warnings.push_back(absl::StrCat(ToAbsl(source), ": \"", kKey, "\" is ",
                                    *plain, ", but \"", place, "\" is ", *base,
                                    "; the latter is used"));
  }
  return *base;
}

}  // namespace apollo
