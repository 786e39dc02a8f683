#include "model/tokenizer/pre_tokenizer.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/tokenizer/known_patterns.h"

namespace apollo {

namespace {

absl::StatusOr<std::unique_ptr<const Splitter>> MakeSplitter(
    const SplitStep& split) {
  std::unique_ptr<const Splitter> matches;
  if (split.literal) {
    matches = MakeLiteralSplitter(split.pattern);
  } else {
    ASSIGN_OR_RETURN(matches, MakePatternSplitter(split.pattern));
  }
  return MakeBehaviorSplitter(std::move(matches), split.behavior, split.invert);
}

}  // namespace

absl::StatusOr<PreTokenizer::Step> PreTokenizer::MakeStep(
    const PreTokenizerStep& description) {
  Step step;
  if (const auto* split = std::get_if<SplitStep>(&description)) {
    ASSIGN_OR_RETURN(step.splitter, MakeSplitter(*split));
  } else if (const auto* digits = std::get_if<DigitsStep>(&description)) {
    step.splitter = MakeDigitsSplitter(digits->individual);
  } else if (const auto* meta = std::get_if<MetaspaceStep>(&description)) {
    step.space = meta->replacement;
    if (meta->prepend != MetaspaceStep::Prepend::kNever) {
      step.prefix = meta->replacement;
      step.only_at_start = meta->prepend == MetaspaceStep::Prepend::kFirst;
    }
    if (meta->split) {
      step.splitter =
          MakeBehaviorSplitter(MakeLiteralSplitter(meta->replacement),
                               SplitBehavior::kMergedWithNext, false);
    }
  } else {
    const auto& bytes = std::get<ByteLevelStep>(description);
    if (bytes.add_prefix_space) step.prefix = " ";
    if (bytes.use_regex) {
      ASSIGN_OR_RETURN(step.splitter, MakePatternSplitter(kGpt2Pattern));
    }
  }
  return step;
}

absl::StatusOr<PreTokenizer> PreTokenizer::Create(
    std::span<const PreTokenizerStep> steps) {
  PreTokenizer result;
  for (const PreTokenizerStep& description : steps) {
    ASSIGN_OR_RETURN(Step step, MakeStep(description));
    if (step.splitter != nullptr || !step.prefix.empty() ||
        !step.space.empty()) {
      result.steps_.push_back(std::move(step));
    }
  }
  return result;
}

std::string_view PreTokenizer::Changed(const Step& step, std::string_view piece,
                                       bool start, Pieces* out) {
  if (!step.space.empty() && piece.find(' ') != piece.npos) {
    piece = out->extended.emplace_back(
        absl::StrReplaceAll(ToAbsl(piece), {{" ", step.space}}));
  }
  if (!step.prefix.empty() && (start || !step.only_at_start) &&
      !piece.starts_with(step.prefix)) {
    piece =
        out->extended.emplace_back(absl::StrCat(step.prefix, ToAbsl(piece)));
  }
  return piece;
}

absl::Status PreTokenizer::Split(std::string_view text, bool start,
                                 Pieces* out) const {
  out->pieces.clear();
  out->extended.clear();
  if (text.empty()) return absl::OkStatus();
  out->pieces.push_back(text);
  for (const Step& step : steps_) {
    out->scratch.clear();
    bool at_start = start;
    for (std::string_view piece : out->pieces) {
      piece = Changed(step, piece, at_start, out);
      const std::size_t next = out->scratch.size();
      if (step.splitter == nullptr) {
        out->scratch.push_back(piece);
      } else {
        RETURN_IF_ERROR(step.splitter->Split(piece, &out->scratch));
      }
      // The splitter may have removed the start of the text.
      if (at_start) {
        start = out->scratch.size() > next &&
                out->scratch[next].data() == piece.data();
      }
      at_start = false;
    }
    out->pieces.swap(out->scratch);
  }
  return absl::OkStatus();
}

}  // namespace apollo
