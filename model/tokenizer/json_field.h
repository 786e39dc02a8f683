#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>

#include "common/json.h"

namespace apollo {

// A value of a JSON file and its path in the file, for error messages. Refers
// to the JSON and the source, which must outlive it.
class JsonField {
 public:
  JsonField(const Json& value, std::string_view source, std::string path = "")
      : value_(&value), source_(source), path_(std::move(path)) {}

  const Json& value() const { return *value_; }
  // True if absent or null. HF writes and reads both for "none".
  bool absent() const { return value_->is_null(); }

  // Returns a member of an object; a missing one reads as null. Returns
  // INVALID_ARGUMENT if this is not an object.
  absl::StatusOr<JsonField> Member(std::string_view key) const;
  // Returns an element of an array. `index` must be in range.
  JsonField Element(std::size_t index) const;
  // Returns the path of an element with a null value, for errors.
  JsonField At(std::size_t index) const;

  // Return INVALID_ARGUMENT for values of another type. `otherwise` is the
  // value if the field is absent.
  absl::StatusOr<bool> Bool(std::optional<bool> otherwise = {}) const;
  absl::StatusOr<std::string> String(
      std::optional<std::string> otherwise = {}) const;
  absl::Status ExpectArray() const;

  // "FILE: FIELD: is VALUE; what", with at most 60 bytes of the value. For
  // values that are understood but not supported.
  absl::Status Refused(std::string_view what) const;

  // "FILE: FIELD: what"
  absl::Status Invalid(std::string_view what) const;
  absl::Status Unsupported(std::string_view what) const;

 private:
  const Json* value_;
  std::string_view source_;
  std::string path_;
};

}  // namespace apollo
