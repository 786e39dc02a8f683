#include "tools/upcycle/gguf_file.h"

#include <absl/status/status.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "common/status_macros.h"
#include "common/strings.h"
#include "tools/upcycle/gguf_cursor.h"

namespace apollo {

std::string DescribeGgufKey(std::string_view path, std::string_view key) {
  constexpr std::size_t kMaxShown = 200;
  return absl::StrCat(ToAbsl(path), ": key \"",
                      absl::CHexEscape(ToAbsl(key.substr(0, kMaxShown))), "\"");
}

std::int64_t GgufTensor::num_rows() const {
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

const GgufTensor* GgufFile::FindTensor(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

absl::StatusOr<const GgufValue*> GgufFile::Get(std::string_view key) const {
  const auto found = keys_.find(key);
  if (found == keys_.end()) {
    return absl::NotFoundError(DescribeGgufKey(path_, key) + " is missing");
  }
  return &found->second;
}

absl::Status GgufFile::TypeError(std::string_view key,
                                 std::string_view wanted) const {
  return absl::InvalidArgumentError(
      absl::StrCat(DescribeGgufKey(path_, key), " is not ", ToAbsl(wanted)));
}

absl::StatusOr<std::int64_t> GgufFile::GetInt(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufValue* value, Get(key));
  if (const auto* number = std::get_if<std::int64_t>(value)) return *number;
  if (const auto* number = std::get_if<std::uint64_t>(value)) {
    return absl::InvalidArgumentError(
        absl::StrCat(DescribeGgufKey(path_, key), " is too large: ", *number));
  }
  return TypeError(key, "an integer");
}

absl::StatusOr<std::int64_t> GgufFile::GetUniformInt(
    std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufValue* value, Get(key));
  if (!std::holds_alternative<GgufArray>(*value)) return GetInt(key);
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> numbers, GetInts(key));
  if (numbers.empty()) return TypeError(key, "an integer for each layer");
  for (const std::int64_t number : numbers) {
    if (number != numbers[0]) {
      return absl::InvalidArgumentError(
          absl::StrCat(DescribeGgufKey(path_, key), " differs between layers, ",
                       numbers[0], " and ", number, "; all must be equal"));
    }
  }
  return numbers[0];
}

absl::StatusOr<double> GgufFile::GetNumber(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufValue* value, Get(key));
  if (const auto* number = std::get_if<double>(value)) return *number;
  if (const auto* number = std::get_if<std::int64_t>(value)) {
    return static_cast<double>(*number);
  }
  if (const auto* number = std::get_if<std::uint64_t>(value)) {
    return static_cast<double>(*number);
  }
  return TypeError(key, "a number");
}

absl::StatusOr<bool> GgufFile::GetBool(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufValue* value, Get(key));
  if (const auto* flag = std::get_if<bool>(value)) return *flag;
  return TypeError(key, "a bool");
}

absl::StatusOr<std::string_view> GgufFile::GetString(
    std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufValue* value, Get(key));
  if (const auto* text = std::get_if<std::string_view>(value)) return *text;
  return TypeError(key, "a string");
}

absl::StatusOr<std::vector<std::string_view>> GgufFile::GetStrings(
    std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufValue* value, Get(key));
  const auto* array = std::get_if<GgufArray>(value);
  if (array == nullptr || array->type != kGgufString) {
    return TypeError(key, "an array of strings");
  }
  GgufCursor cursor(array->bytes);
  std::vector<std::string_view> strings;
  for (std::uint64_t i = 0; i < array->count; ++i) {
    ASSIGN_OR_RETURN(const std::string_view text, cursor.ReadString());
    strings.push_back(text);
  }
  return strings;
}

absl::StatusOr<std::vector<std::int64_t>> GgufFile::GetInts(
    std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufValue* value, Get(key));
  const auto* array = std::get_if<GgufArray>(value);
  if (array == nullptr) return TypeError(key, "an array of integers");
  GgufCursor cursor(array->bytes);
  std::vector<std::int64_t> numbers;
  for (std::uint64_t i = 0; i < array->count; ++i) {
    ASSIGN_OR_RETURN(const GgufValue element, cursor.ReadValue(array->type));
    const auto* number = std::get_if<std::int64_t>(&element);
    if (number == nullptr) return TypeError(key, "an array of integers");
    numbers.push_back(*number);
  }
  return numbers;
}

}  // namespace apollo
