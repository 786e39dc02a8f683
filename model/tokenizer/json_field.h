#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>

#include "common/json.h"

namespace apollo {

// One value of a JSON file together with its place, so that every error can
// name both. Only refers to the JSON and the source, which must outlive it.
class JsonField {
 public:
  JsonField(const Json& value, std::string_view source, std::string path = "")
      : value_(&value), source_(source), path_(std::move(path)) {}

  const Json& value() const { return *value_; }
  // Absent or null: HF writes and reads both for "none".
  bool absent() const { return value_->is_null(); }

  // A member of an object. A missing one reads as null. INVALID_ARGUMENT if
  // this is no object.
  absl::StatusOr<JsonField> Member(std::string_view key) const;
  // An element of an array; `index` must be in range.
  JsonField Element(std::size_t index) const;
  // The same place with null as its value: to name it in an error.
  JsonField At(std::size_t index) const;

  // INVALID_ARGUMENT for values of another type. A value to fall back on is
  // used if the field is absent.
  absl::StatusOr<bool> Bool(std::optional<bool> otherwise = {}) const;
  absl::StatusOr<std::string> String(
      std::optional<std::string> otherwise = {}) const;
  absl::Status ExpectArray() const;

  // "FILE: FIELD: what"
  absl::Status Invalid(std::string_view what) const;
  absl::Status Unsupported(std::string_view what) const;

 private:
  const Json* value_;
  std::string_view source_;
  std::string path_;
};

}  // namespace apollo
