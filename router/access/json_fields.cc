#include "router/access/json_fields.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "common/nearest_word.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

std::string Is(const Json& value, std::string_view wanted) {
  return absl::StrCat("is of type ", value.type_name(), "; it must be ",
                      ToAbsl(wanted));
}

absl::StatusOr<std::string> TextOf(const Json& value, const std::string& path) {
  if (!value.is_string()) return WrongField(path, Is(value, "a string"));
  std::string text = value.get<std::string>();
  if (text.empty()) return WrongField(path, "is empty");
  if (text.size() > JsonFields::kMaxText) {
    return WrongField(
        path, absl::StrCat("has ", text.size(), " bytes; it must have at most ",
                           JsonFields::kMaxText));
  }
  return text;
}

}  // namespace

absl::Status WrongField(std::string_view path, std::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat(ToAbsl(path), " ", ToAbsl(problem)));
}

std::string JsonFields::PathOf(std::string_view name) const {
  if (path_.empty()) return std::string(name);
  return absl::StrCat(path_, ".", ToAbsl(name));
}

absl::Status JsonFields::Check() const {
  if (object_.is_object()) return absl::OkStatus();
  return WrongField(path_.empty() ? "the policy" : path_,
                    Is(object_, "an object"));
}

absl::Status JsonFields::CheckNoOthers() const {
  for (const auto& [name, value] : object_.items()) {
    if (known_.contains(name)) continue;
    const std::string near = NearestWord(name, {known_.begin(), known_.end()});
    return WrongField(PathOf(name),
                      near.empty()
                          ? "is no field of a policy"
                          : absl::StrCat("is no field of a policy; did you "
                                         "mean \"",
                                         near, "\"?"));
  }
  return absl::OkStatus();
}

const Json* JsonFields::Find(const char* name) {
  known_.insert(name);
  const auto it = object_.find(name);
  return it == object_.end() ? nullptr : &*it;
}

absl::StatusOr<std::optional<std::string>> JsonFields::Text(const char* name) {
  const Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  ASSIGN_OR_RETURN(std::string text, TextOf(*value, PathOf(name)));
  return std::optional<std::string>(std::move(text));
}

absl::StatusOr<std::optional<bool>> JsonFields::Flag(const char* name) {
  const Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) {
    return WrongField(PathOf(name), Is(*value, "true or false"));
  }
  return std::optional<bool>(value->get<bool>());
}

absl::StatusOr<std::optional<double>> JsonFields::Number(const char* name,
                                                         double least,
                                                         double most) {
  const Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) {
    return WrongField(PathOf(name), Is(*value, "a number"));
  }
  const auto number = value->get<double>();
  if (!(number >= least && number <= most)) {
    return WrongField(
        PathOf(name),
        absl::StrCat("is ", number, "; it must be from ", least, " to ", most));
  }
  return std::optional<double>(number);
}

absl::StatusOr<std::optional<std::int64_t>> JsonFields::Integer(
    const char* name, std::int64_t least, std::int64_t most) {
  const Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer()) {
    return WrongField(PathOf(name), Is(*value, "an integer"));
  }
  // Larger numbers are unsigned, and would wrap around.
  const bool fits =
      !value->is_number_unsigned() ||
      value->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX);
  const auto number = fits ? value->get<std::int64_t>() : INT64_MAX;
  if (!fits || number < least || number > most) {
    return WrongField(PathOf(name),
                      absl::StrCat("is ", value->dump(), "; it must be from ",
                                   least, " to ", most));
  }
  return std::optional<std::int64_t>(number);
}

absl::StatusOr<std::vector<std::string>> JsonFields::Texts(const char* name) {
  std::vector<std::string> texts;
  RETURN_IF_ERROR(ForEach(
      name, [&](const Json& element, const std::string& path) -> absl::Status {
        ASSIGN_OR_RETURN(std::string text, TextOf(element, path));
        texts.push_back(std::move(text));
        return absl::OkStatus();
      }));
  return texts;
}

absl::Status JsonFields::ForEach(const char* name, Visit visit) {
  const Json* value = Find(name);
  if (value == nullptr) return absl::OkStatus();
  if (!value->is_array()) {
    return WrongField(PathOf(name), Is(*value, "an array"));
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    RETURN_IF_ERROR(
        visit((*value)[i], absl::StrCat(PathOf(name), "[", i, "]")));
  }
  return absl::OkStatus();
}

}  // namespace apollo
