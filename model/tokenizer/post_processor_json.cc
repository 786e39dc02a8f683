#include <absl/strings/str_cat.h>

#include <algorithm>

#include "common/status_macros.h"
#include "model/tokenizer/bpe_json.h"
#include "model/tokenizer/json_parts.h"

namespace apollo {
namespace {

constexpr char kKnown[] =
    "ByteLevel, TemplateProcessing, RobertaProcessing, BertProcessing, "
    "Sequence of those";

// Reads the id of an added token.
absl::StatusOr<TokenId> ReadAddedId(const JsonField& field,
                                    const TokenizerSpec& spec) {
  ASSIGN_OR_RETURN(const TokenId id, ReadTokenId(field));
  const auto has_id = [id](const AddedToken& token) { return token.id == id; };
  if (std::none_of(spec.added_tokens.begin(), spec.added_tokens.end(),
                   has_id)) {
    return field.Invalid("is not the id of an added token");
  }
  return id;
}

// Appends the ids of the template `name`.
absl::Status AppendTemplateIds(const JsonField& processor,
                               const JsonField& item, const TokenizerSpec& spec,
                               std::vector<TokenId>* out) {
  ASSIGN_OR_RETURN(const JsonField name_field, item.Member("id"));
  ASSIGN_OR_RETURN(const std::string name, name_field.String());
  ASSIGN_OR_RETURN(const JsonField table, processor.Member("special_tokens"));
  ASSIGN_OR_RETURN(const JsonField entry, table.Member(name));
  if (entry.absent()) return name_field.Invalid("is not in special_tokens");
  ASSIGN_OR_RETURN(const JsonField ids, entry.Member("ids"));
  RETURN_IF_ERROR(ids.ExpectArray());
  if (ids.value().size() > kMaxSteps) return ids.Invalid("too many ids");
  for (std::size_t i = 0; i < ids.value().size(); ++i) {
    ASSIGN_OR_RETURN(const TokenId id, ReadAddedId(ids.Element(i), spec));
    out->push_back(id);
  }
  return absl::OkStatus();
}

absl::Status ReadTemplate(const JsonField& processor, TokenizerSpec* spec) {
  ASSIGN_OR_RETURN(const JsonField single, processor.Member("single"));
  RETURN_IF_ERROR(single.ExpectArray());
  if (single.value().size() > kMaxSteps)
    return single.Invalid("too many items");
  bool text_seen = false;
  for (std::size_t i = 0; i < single.value().size(); ++i) {
    const JsonField piece = single.Element(i);
    ASSIGN_OR_RETURN(const JsonField sequence, piece.Member("Sequence"));
    ASSIGN_OR_RETURN(const JsonField special, piece.Member("SpecialToken"));
    if (sequence.absent() == special.absent()) {
      return piece.Invalid("expected Sequence or SpecialToken");
    }
    if (special.absent()) {
      if (text_seen) return piece.Unsupported("the text may occur only once");
      text_seen = true;
      continue;
    }
    RETURN_IF_ERROR(AppendTemplateIds(
        processor, special, *spec, text_seen ? &spec->suffix : &spec->prefix));
  }
  return text_seen ? absl::OkStatus() : single.Invalid("has no Sequence");
}

// Reads a pair of a token and its id.
absl::Status AppendEndId(const JsonField& processor, std::string_view key,
                         const TokenizerSpec& spec, std::vector<TokenId>* out) {
  ASSIGN_OR_RETURN(const JsonField pair, processor.Member(key));
  if (!pair.value().is_array() || pair.value().size() != 2) {
    return pair.Invalid("expected a token and its id");
  }
  ASSIGN_OR_RETURN(const TokenId id, ReadAddedId(pair.Element(1), spec));
  out->push_back(id);
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadPostProcessor(const JsonField& field, TokenizerSpec* spec) {
  if (field.absent()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<JsonField> steps,
                   StepsOf(field, "processors"));
  bool around = false;  // A step has put something around the text.
  for (const JsonField& step : steps) {
    ASSIGN_OR_RETURN(const std::string type, TypeOf(step));
    if (type == "ByteLevel") continue;  // Changes only offsets.
    const bool ends = type == "RobertaProcessing" || type == "BertProcessing";
    if (type != "TemplateProcessing" && !ends)
      return UnknownType(step, type, kKnown);
    if (around) {
      return step.Unsupported(absl::StrCat(
          "is a second step that puts tokens around the text: ", type));
    }
    around = true;
    if (ends) {
      RETURN_IF_ERROR(AppendEndId(step, "cls", *spec, &spec->prefix));
      RETURN_IF_ERROR(AppendEndId(step, "sep", *spec, &spec->suffix));
    } else {
      RETURN_IF_ERROR(ReadTemplate(step, spec));
    }
  }
  return absl::OkStatus();
}

}  // namespace apollo
