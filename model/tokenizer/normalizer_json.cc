#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_cat.h>

#include <utility>

#include "common/status_macros.h"
#include "model/tokenizer/json_parts.h"

namespace apollo {
namespace {

constexpr char kKnown[] =
    "NFC, NFD, NFKC, NFKD, Prepend, Replace, Sequence of those";

const absl::flat_hash_map<std::string, UnicodeForm>& Forms() {
  static const auto* const forms =
      new absl::flat_hash_map<std::string, UnicodeForm>({
          {"NFC", UnicodeForm::kNfc},
          {"NFD", UnicodeForm::kNfd},
          {"NFKC", UnicodeForm::kNfkc},
          {"NFKD", UnicodeForm::kNfkd},
      });
  return *forms;
}

absl::StatusOr<ReplaceStep> ReadReplace(const JsonField& field) {
  ReplaceStep step;
  ASSIGN_OR_RETURN(const JsonField pattern, field.Member("pattern"));
  ASSIGN_OR_RETURN(step.pattern, LiteralPattern(pattern));
  ASSIGN_OR_RETURN(const JsonField content, field.Member("content"));
  ASSIGN_OR_RETURN(step.content, content.String());
  // Removing text would move the place at which a text starts.
  if (step.content.empty()) return content.Refused("it must not be empty");
  if (step.content.size() > kMaxPatternBytes) {
    return content.Invalid(
        absl::StrCat("longer than ", kMaxPatternBytes, " bytes"));
  }
  return step;
}

}  // namespace

absl::Status ReadNormalizer(const JsonField& field, TokenizerSpec* spec) {
  if (field.absent()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<JsonField> steps,
                   StepsOf(field, "normalizers"));
  for (const JsonField& step : steps) {
    ASSIGN_OR_RETURN(const std::string type, TypeOf(step));
    const auto form = Forms().find(type);
    if (form != Forms().end()) {
      spec->normalizer.emplace_back(UnicodeStep{form->second});
    } else if (type == "Prepend") {
      ASSIGN_OR_RETURN(const JsonField text, step.Member("prepend"));
      PrependStep prepend;
      ASSIGN_OR_RETURN(prepend.text, text.String());
      if (prepend.text.size() > kMaxPatternBytes) {
        return text.Invalid(
            absl::StrCat("longer than ", kMaxPatternBytes, " bytes"));
      }
      spec->normalizer.emplace_back(std::move(prepend));
    } else if (type == "Replace") {
      ASSIGN_OR_RETURN(ReplaceStep replace, ReadReplace(step));
      spec->normalizer.emplace_back(std::move(replace));
    } else {
      return UnknownType(step, type, kKnown);
    }
  }
  return absl::OkStatus();
}

}  // namespace apollo
