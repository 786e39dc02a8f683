#include "model/tokenizer/pre_tokenizer.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/tokenizer/known_patterns.h"

namespace apollo {

absl::StatusOr<PreTokenizer> PreTokenizer::Create(
    std::span<const PreTokenizerStep> steps) {
  PreTokenizer result;
  for (const PreTokenizerStep& description : steps) {
    Step step;
    if (const auto* split = std::get_if<SplitStep>(&description)) {
      ASSIGN_OR_RETURN(step.splitter, MakePatternSplitter(split->pattern));
    } else if (const auto* digits = std::get_if<DigitsStep>(&description)) {
      step.splitter = MakeDigitsSplitter(digits->individual);
    } else {
      const auto& bytes = std::get<ByteLevelStep>(description);
      step.add_prefix_space = bytes.add_prefix_space;
      if (bytes.use_regex) {
        ASSIGN_OR_RETURN(step.splitter, MakePatternSplitter(kGpt2Pattern));
      }
    }
    if (step.splitter != nullptr || step.add_prefix_space) {
      result.steps_.push_back(std::move(step));
    }
  }
  return result;
}

absl::Status PreTokenizer::Split(std::string_view text, Pieces* out) const {
  out->pieces.clear();
  out->extended.clear();
  if (text.empty()) return absl::OkStatus();
  out->pieces.push_back(text);
  for (const Step& step : steps_) {
    out->scratch.clear();
    for (std::string_view piece : out->pieces) {
      if (step.add_prefix_space && piece.front() != ' ') {
        piece = out->extended.emplace_back(absl::StrCat(" ", ToAbsl(piece)));
      }
      if (step.splitter == nullptr) {
        out->scratch.push_back(piece);
      } else {
        RETURN_IF_ERROR(step.splitter->Split(piece, &out->scratch));
      }
    }
    out->pieces.swap(out->scratch);
  }
  return absl::OkStatus();
}

}  // namespace apollo
