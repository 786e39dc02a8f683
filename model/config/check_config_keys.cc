#include "model/config/check_config_keys.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <span>

#include "common/check.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "model/config/config_keys.h"
#include "model/config/config_reader.h"
#include "model/config/generation_keys.h"
#include "model/config/some_names.h"

namespace apollo {
namespace {

const ConfigKey* FindKey(std::span<const ConfigKey> keys,
                         std::string_view path) {
  const auto it =
      std::find_if(keys.begin(), keys.end(),
                   [path](const ConfigKey& key) { return key.path == path; });
  return it == keys.end() ? nullptr : &*it;
}

// Returns the values of a row of the table.
Json RightValues(const ConfigKey& key) {
  auto values = ParseJson(key.right, key.path);
  APOLLO_CHECK(values.ok() && values->is_array());
  return *std::move(values);
}

// Returns for example "false or null".
std::string Alternatives(const Json& values) {
  std::vector<std::string> shown;
  for (const Json& value : values) shown.push_back(ShowJson(value));
  shown.emplace_back("null");
  return absl::StrJoin(shown, " or ");
}

bool IsOneOf(const Json& value, const Json& values) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

absl::Status CheckValue(const ConfigKey& key, const Json& value,
                        const ConfigReader& reader) {
  const std::string path(key.path);
  const Json right = RightValues(key);
  if (key.use == KeyUse::kFixed) {
    if (IsOneOf(value, right)) return absl::OkStatus();
    return reader.Wrong(path.c_str(), value,
                        absl::StrCat(Alternatives(right), ", because ",
                                     ToAbsl(key.about), " cannot be served"));
  }
  if (value.is_array()) {
    const auto wrong = std::find_if(
        value.begin(), value.end(),
        [&right](const Json& entry) { return !IsOneOf(entry, right); });
    if (wrong == value.end()) return absl::OkStatus();
  }
  return reader.Wrong(path.c_str(), value,
                      absl::StrCat("a list of only ", ShowJson(right.front()),
                                   " or null, because ", ToAbsl(key.about),
                                   " cannot be served"));
}

// Appends the paths of unknown keys of an object.
absl::Status CheckObject(std::span<const ConfigKey> keys, const Json& object,
                         const std::string& prefix, const ConfigReader& reader,
                         std::vector<std::string>& unknown) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_null()) continue;
    const std::string path = prefix + name;
    // A dot in a name does not mean a key within an object.
    const ConfigKey* key =
        name.find('.') == std::string::npos ? FindKey(keys, path) : nullptr;
    if (key == nullptr) {
      unknown.push_back(path);
      continue;
    }
    switch (key->use) {
      case KeyUse::kRead:
      case KeyUse::kHarmless:
        break;
      case KeyUse::kFixed:
      case KeyUse::kFixedEach:
        RETURN_IF_ERROR(CheckValue(*key, value, reader));
        break;
      case KeyUse::kObject:
        if (!value.is_object()) {
          return reader.Wrong(path.c_str(), value, "an object or null");
        }
        RETURN_IF_ERROR(CheckObject(keys, value, path + ".", reader, unknown));
        break;
    }
  }
  return absl::OkStatus();
}

absl::Status CheckKeys(std::span<const ConfigKey> keys, const Json& config,
                       std::string_view source,
                       std::vector<std::string>& warnings) {
  std::vector<std::string> unknown;
  RETURN_IF_ERROR(
      CheckObject(keys, config, "", ConfigReader(config, source), unknown));
  if (!unknown.empty()) {
    warnings.push_back(absl::StrCat(ToAbsl(source), ": unknown keys ",
                                    SomeNames(unknown), " are ignored"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckConfigKeys(const Json& config, std::string_view source,
                             std::vector<std::string>& warnings) {
  return CheckKeys(ConfigKeys(), config, source, warnings);
}

absl::Status CheckGenerationKeys(const Json& config, std::string_view source,
                                 std::vector<std::string>& warnings) {
  return CheckKeys(GenerationKeys(), config, source, warnings);
}

}  // namespace apollo
