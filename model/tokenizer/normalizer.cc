#include "model/tokenizer/normalizer.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

#include <utility>
#include <variant>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/tokenizer/nfc.h"

namespace apollo {
namespace {

// Returns `text`, or the result in `storage`.
absl::StatusOr<std::string_view> Apply(const NormalizerStep& step, bool start,
                                       std::string_view text,
                                       std::string* storage) {
  if (const auto* unicode = std::get_if<UnicodeStep>(&step)) {
    return NormalizeUnicode(unicode->form, text, storage);
  }
  if (const auto* prepend = std::get_if<PrependStep>(&step)) {
    if (!start || text.empty()) return text;
    *storage = absl::StrCat(prepend->text, ToAbsl(text));
    return *storage;
  }
  const auto& replace = std::get<ReplaceStep>(step);
  if (text.find(replace.pattern) == text.npos) return text;
  *storage =
      absl::StrReplaceAll(ToAbsl(text), {{replace.pattern, replace.content}});
  return *storage;
}

}  // namespace

absl::StatusOr<std::string_view> Normalizer::Normalize(
    std::string_view text, bool start, std::string* storage) const {
  std::string next;
  for (const NormalizerStep& step : steps_) {
    // The text may be in `storage`, so the result must not be.
    next.clear();
    ASSIGN_OR_RETURN(const std::string_view result,
                     Apply(step, start, text, &next));
    if (result.data() == text.data()) continue;
    storage->swap(next);
    text = *storage;
  }
  return text;
}

}  // namespace apollo
