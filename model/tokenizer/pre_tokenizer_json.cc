#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_cat.h>

#include <utility>

#include "common/status_macros.h"
#include "model/tokenizer/json_parts.h"

namespace apollo {
namespace {

constexpr char kKnown[] =
    "Split, Digits, Metaspace, ByteLevel, Sequence of those";

absl::StatusOr<SplitBehavior> ReadBehavior(const JsonField& field) {
  static const auto* const behaviors =
      new absl::flat_hash_map<std::string, SplitBehavior>({
          {"Isolated", SplitBehavior::kIsolated},
          {"Removed", SplitBehavior::kRemoved},
          {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
          {"MergedWithNext", SplitBehavior::kMergedWithNext},
          {"Contiguous", SplitBehavior::kContiguous},
      });
  ASSIGN_OR_RETURN(const std::string name, field.String());
  const auto found = behaviors->find(name);
  if (found == behaviors->end()) {
    return field.Refused(
        "known: Isolated, Removed, MergedWithPrevious, MergedWithNext, "
        "Contiguous");
  }
  return found->second;
}

absl::StatusOr<SplitStep> ReadSplit(const JsonField& field) {
  SplitStep split;
  ASSIGN_OR_RETURN(const JsonField behavior, field.Member("behavior"));
  ASSIGN_OR_RETURN(split.behavior, ReadBehavior(behavior));
  ASSIGN_OR_RETURN(split.invert, Flag(field, "invert", false));
  ASSIGN_OR_RETURN(const JsonField pattern, field.Member("pattern"));
  ASSIGN_OR_RETURN(const JsonField regex, pattern.Member("Regex"));
  if (regex.absent()) {
    split.literal = true;
    ASSIGN_OR_RETURN(split.pattern, LiteralPattern(pattern));
    return split;
  }
  ASSIGN_OR_RETURN(split.pattern, regex.String());
  if (split.pattern.size() > kMaxPatternBytes) {
    return regex.Invalid(
        absl::StrCat("longer than ", kMaxPatternBytes, " bytes"));
  }
  return split;
}

// Older files have only add_prefix_space, which newer ones repeat.
absl::StatusOr<MetaspaceStep> ReadMetaspace(const JsonField& field) {
  using Prepend = MetaspaceStep::Prepend;
  MetaspaceStep step;
  ASSIGN_OR_RETURN(const JsonField replacement, field.Member("replacement"));
  ASSIGN_OR_RETURN(step.replacement, OneCharacter(replacement));
  ASSIGN_OR_RETURN(step.split, Flag(field, "split", true));
  ASSIGN_OR_RETURN(const bool prefix, Flag(field, "add_prefix_space", true));
  ASSIGN_OR_RETURN(const JsonField scheme, field.Member("prepend_scheme"));
  ASSIGN_OR_RETURN(const std::string name, scheme.String("always"));
  if (name == "always") {
    step.prepend = Prepend::kAlways;
  } else if (name == "first") {
    step.prepend = Prepend::kFirst;
  } else if (name == "never") {
    step.prepend = Prepend::kNever;
  } else {
    return scheme.Refused("known: always, first, never");
  }
  if (!prefix && step.prepend != Prepend::kNever) {
    return field.Invalid(absl::StrCat(
        "add_prefix_space is false, but prepend_scheme is ", name));
  }
  return step;
}

// To the `tokenizers` library, a piece is at the start of a text if its first
// character comes from that of the text before normalization. If one character
// became several, this may hold for several pieces.
absl::Status CheckStartIsKnown(const JsonField& field,
                               const MetaspaceStep& step,
                               const TokenizerSpec& spec) {
  if (step.prepend != MetaspaceStep::Prepend::kFirst ||
      spec.pre_tokenizer.empty() || spec.normalizer.empty()) {
    return absl::OkStatus();
  }
  return field.Unsupported(
      "is Metaspace with prepend_scheme first; with a normalizer, no other "
      "step may be before it");
}

}  // namespace

absl::Status ReadPreTokenizer(const JsonField& field, TokenizerSpec* spec) {
  spec->byte_level = false;
  if (field.absent()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<JsonField> steps,
                   StepsOf(field, "pretokenizers"));
  for (const JsonField& step : steps) {
    ASSIGN_OR_RETURN(const std::string type, TypeOf(step));
    if (spec->byte_level) {
      return step.Unsupported(
          absl::StrCat("is ", type, "; nothing may follow ByteLevel"));
    }
    if (type == "Split") {
      ASSIGN_OR_RETURN(SplitStep split, ReadSplit(step));
      spec->pre_tokenizer.emplace_back(std::move(split));
    } else if (type == "Digits") {
      DigitsStep digits;
      ASSIGN_OR_RETURN(digits.individual, Flag(step, "individual_digits"));
      spec->pre_tokenizer.emplace_back(digits);
    } else if (type == "Metaspace") {
      ASSIGN_OR_RETURN(MetaspaceStep metaspace, ReadMetaspace(step));
      RETURN_IF_ERROR(CheckStartIsKnown(step, metaspace, *spec));
      spec->pre_tokenizer.emplace_back(std::move(metaspace));
    } else if (type == "ByteLevel") {
      ByteLevelStep bytes;
      ASSIGN_OR_RETURN(bytes.add_prefix_space, Flag(step, "add_prefix_space"));
      ASSIGN_OR_RETURN(bytes.use_regex, Flag(step, "use_regex", true));
      spec->pre_tokenizer.emplace_back(bytes);
      spec->byte_level = true;
    } else {
      return UnknownType(step, type, kKnown);
    }
  }
  return absl::OkStatus();
}

}  // namespace apollo
