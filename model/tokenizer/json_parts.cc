#include "model/tokenizer/json_parts.h"

#include <absl/strings/str_cat.h>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/tokenizer/utf8.h"

namespace apollo {
namespace {

absl::Status AppendSteps(const JsonField& field, std::string_view key,
                         std::vector<JsonField>* steps) {
  ASSIGN_OR_RETURN(const std::string type, TypeOf(field));
  if (type != "Sequence") {
    if (steps->size() == kMaxSteps) {
      return field.Invalid(absl::StrCat("more than ", kMaxSteps, " steps"));
    }
    steps->push_back(field);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const JsonField list, field.Member(key));
  RETURN_IF_ERROR(list.ExpectArray());
  for (std::size_t i = 0; i < list.value().size(); ++i) {
    RETURN_IF_ERROR(AppendSteps(list.Element(i), key, steps));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> TypeOf(const JsonField& field) {
  ASSIGN_OR_RETURN(const JsonField type, field.Member("type"));
  return type.String();
}

absl::StatusOr<bool> Flag(const JsonField& field, std::string_view key,
                          std::optional<bool> otherwise) {
  ASSIGN_OR_RETURN(const JsonField flag, field.Member(key));
  return flag.Bool(otherwise);
}

absl::StatusOr<std::vector<JsonField>> StepsOf(const JsonField& field,
                                               std::string_view key) {
  std::vector<JsonField> steps;
  RETURN_IF_ERROR(AppendSteps(field, key, &steps));
  return steps;
}

absl::Status UnknownType(const JsonField& field, std::string_view type,
                         std::string_view known) {
  return field.Unsupported(absl::StrCat(
      "type ", ToAbsl(type), " is not supported; known: ", ToAbsl(known)));
}

absl::StatusOr<std::string> OneCharacter(const JsonField& field) {
  ASSIGN_OR_RETURN(std::string text, field.String());
  if (text.empty() || FirstCharacterBytes(text) != text.size()) {
    return field.Invalid("expected a string of one character");
  }
  return text;
}

absl::StatusOr<std::string> LiteralPattern(const JsonField& pattern) {
  ASSIGN_OR_RETURN(const JsonField literal, pattern.Member("String"));
  if (literal.absent()) return pattern.Refused("only a String is supported");
  ASSIGN_OR_RETURN(std::string text, literal.String());
  if (text.empty() || text.size() > kMaxPatternBytes) {
    return literal.Invalid(
        absl::StrCat("must have 1 to ", kMaxPatternBytes, " bytes"));
  }
  return text;
}

}  // namespace apollo
