#include "model/config/config_reader.h"

#include <absl/strings/str_cat.h>

#include <cmath>

#include "common/strings.h"

namespace apollo {

namespace {

// Returns the number as Python writes it, or null if it is finite.
const char* NameOfSpecial(const Json& value) {
  if (!value.is_number_float()) return nullptr;
  const double number = value.get<double>();
  if (std::isnan(number)) return "NaN";
  if (std::isfinite(number)) return nullptr;
  return number > 0 ? "Infinity" : "-Infinity";
}

// Replaces numbers that the library would write as null by their names.
void NameSpecials(Json& value) {
  if (const char* name = NameOfSpecial(value); name != nullptr) {
    value = name;
  } else if (value.is_structured()) {
    for (Json& part : value) NameSpecials(part);
  }
}

}  // namespace

std::string ShowJson(const Json& value, std::size_t most) {
  if (const char* name = NameOfSpecial(value); name != nullptr) return name;
  Json named = value;
  NameSpecials(named);
  std::string shown = named.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (shown.size() > most) shown = shown.substr(0, most - 3) + "...";
  return shown;
}

const Json* ConfigReader::Find(const char* key) const {
  const auto it = json_.find(key);
  return it == json_.end() || it->is_null() ? nullptr : &*it;
}

absl::StatusOr<std::int64_t> ConfigReader::Int(
    const char* key, std::int64_t low, std::int64_t high,
    std::optional<std::int64_t> fallback) const {
  const Json* value = Find(key);
  if (value == nullptr) {
    if (fallback) return *fallback;
    return Missing(key);
  }
  if (!value->is_number_integer()) return Wrong(key, *value, "an integer");
  // An unsigned number above the signed range is out of every range here.
  const bool fits =
      !value->is_number_unsigned() || value->get<std::uint64_t>() <= INT64_MAX;
  if (!fits || value->get<std::int64_t>() < low ||
      value->get<std::int64_t>() > high) {
    return Wrong(key, *value, absl::StrCat("from ", low, " to ", high));
  }
  return value->get<std::int64_t>();
}

absl::StatusOr<bool> ConfigReader::Bool(const char* key, bool fallback) const {
  const Json* value = Find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return Wrong(key, *value, "true or false");
  return value->get<bool>();
}

absl::StatusOr<double> ConfigReader::Positive(const char* key) const {
  const Json* value = Find(key);
  if (value == nullptr) return Missing(key);
  if (!value->is_number()) return Wrong(key, *value, "a number above 0");
  const double number = value->get<double>();
  if (!std::isfinite(number) || !(number > 0)) {
    return Wrong(key, *value, "a finite number above 0");
  }
  return number;
}

absl::Status ConfigReader::Missing(const char* key) const {
  return absl::InvalidArgumentError(absl::StrCat(
      ToAbsl(source_), ": key \"", ToAbsl(prefix_), key, "\" is missing"));
}

absl::Status ConfigReader::Wrong(const char* key, const Json& value,
                                 const std::string& right) const {
  return absl::InvalidArgumentError(
      absl::StrCat(ToAbsl(source_), ": \"", ToAbsl(prefix_), key, "\" is ",
                   ShowJson(value), "; it must be ", right));
}

}  // namespace apollo
