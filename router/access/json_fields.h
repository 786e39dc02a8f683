#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"

namespace apollo {

// Reads the fields of one JSON object. Errors are INVALID_ARGUMENT and start
// with the path of the field. Each field that is asked for counts as known;
// finally, CheckNoOthers refuses the rest, so that a mistyped name is no silent
// permission. `object` must outlive the reader.
class JsonFields {
 public:
  // `path` names the object, as in "callers[2]"; empty for the outermost.
  JsonFields(const Json& object, std::string path)
      : object_(object), path_(std::move(path)) {}

  // Returns an error unless the value is an object.
  absl::Status Check() const;
  // Returns an error that names the fields that nobody asked for.
  absl::Status CheckNoOthers() const;

  // Returns the value of a field, or null.
  const Json* Find(const char* name);
  // Return the value of a field, or nullopt if it is missing; an error if it
  // has another type or is out of range. Texts have 1 to kMaxText bytes.
  static constexpr std::size_t kMaxText = 1024;
  absl::StatusOr<std::optional<std::string>> Text(const char* name);
  absl::StatusOr<std::optional<bool>> Flag(const char* name);
  absl::StatusOr<std::optional<double>> Number(const char* name, double least,
                                               double most);
  absl::StatusOr<std::optional<std::int64_t>> Integer(const char* name,
                                                      std::int64_t least,
                                                      std::int64_t most);
  // Returns the texts of an array; none if the field is missing.
  absl::StatusOr<std::vector<std::string>> Texts(const char* name);
  // Calls `visit` with each element of an array and its path, until it returns
  // an error.
  using Visit = absl::FunctionRef<absl::Status(const Json& element,
                                               const std::string& path)>;
  absl::Status ForEach(const char* name, Visit visit);

  // Returns the path of a field.
  std::string PathOf(std::string_view name) const;
  const std::string& path() const { return path_; }

 private:
  const Json& object_;
  const std::string path_;
  std::set<std::string, std::less<>> known_;
};

// Returns the error of a field: "PATH PROBLEM".
absl::Status WrongField(std::string_view path, std::string_view problem);

}  // namespace apollo
