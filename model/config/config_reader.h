#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/json.h"

namespace apollo {

// Returns a value as JSON in ASCII, truncated to `most` bytes, for messages.
// Numbers that are not finite are shown as Python writes them; within arrays
// and objects, as strings.
std::string ShowJson(const Json& value, std::size_t most = 80);

// Reads typed values of a JSON object. Errors are INVALID_ARGUMENT and name
// `source` (a file) and the key, which `prefix` precedes in an object within
// another, such as "rope_parameters.". A key whose value is null counts as
// missing. Refers to its arguments, which must outlive it.
class ConfigReader {
 public:
  ConfigReader(const Json& object, std::string_view source,
               std::string_view prefix = "")
      : json_(object), source_(source), prefix_(prefix) {}

  // Returns null if the key is missing.
  const Json* Find(const char* key) const;

  // Missing without a fallback is an error.
  absl::StatusOr<std::int64_t> Int(
      const char* key, std::int64_t low, std::int64_t high,
      std::optional<std::int64_t> fallback = {}) const;
  absl::StatusOr<bool> Bool(const char* key, bool fallback) const;
  // Returns a finite number above 0.
  absl::StatusOr<double> Positive(const char* key) const;

  absl::Status Missing(const char* key) const;
  // `right` completes "it must be".
  absl::Status Wrong(const char* key, const Json& value,
                     const std::string& right) const;

  const Json& json() const { return json_; }
  std::string_view source() const { return source_; }

 private:
  const Json& json_;
  const std::string_view source_;
  const std::string_view prefix_;
};

}  // namespace apollo
