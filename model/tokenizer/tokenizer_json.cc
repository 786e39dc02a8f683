#include "model/tokenizer/tokenizer_json.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>

#include <algorithm>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/tokenizer/bpe_json.h"
#include "model/tokenizer/json_field.h"
#include "model/tokenizer/tokenizer_tree.h"

namespace apollo {
namespace {

constexpr std::size_t kMaxAddedTokens = 1 << 16;
constexpr std::size_t kMaxAddedTokenBytes = 1024;
constexpr std::size_t kMaxSteps = 64;
constexpr std::size_t kMaxPatternBytes = 4096;

absl::StatusOr<std::string> Type(const JsonField& field) {
  ASSIGN_OR_RETURN(const JsonField type, field.Member("type"));
  return type.String();
}

absl::StatusOr<bool> Flag(const JsonField& field, std::string_view key,
                          std::optional<bool> otherwise = {}) {
  ASSIGN_OR_RETURN(const JsonField flag, field.Member(key));
  return flag.Bool(otherwise);
}

// Returns the elements of the array `key` of a "Sequence", or the field itself.
absl::StatusOr<std::vector<JsonField>> Steps(const JsonField& field,
                                             std::string_view key) {
  ASSIGN_OR_RETURN(const std::string type, Type(field));
  if (type != "Sequence") return std::vector<JsonField>{field};
  ASSIGN_OR_RETURN(const JsonField list, field.Member(key));
  RETURN_IF_ERROR(list.ExpectArray());
  if (list.value().size() > kMaxSteps) return list.Invalid("too many steps");
  std::vector<JsonField> steps;
  for (std::size_t i = 0; i < list.value().size(); ++i) {
    steps.push_back(list.Element(i));
  }
  return steps;
}

absl::Status Unknown(const JsonField& field, std::string_view type,
                     std::string_view known) {
  return field.Unsupported(absl::StrCat(
      "type ", ToAbsl(type), " is not supported; known: ", ToAbsl(known)));
}

absl::Status ReadNormalizer(const JsonField& field, TokenizerSpec* spec) {
  if (field.absent()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<JsonField> steps,
                   Steps(field, "normalizers"));
  for (const JsonField& step : steps) {
    ASSIGN_OR_RETURN(const std::string type, Type(step));
    if (type != "NFC") return Unknown(step, type, "NFC, Sequence of NFC");
    spec->nfc = true;
  }
  return absl::OkStatus();
}

absl::StatusOr<SplitStep> ReadSplit(const JsonField& field) {
  ASSIGN_OR_RETURN(const JsonField behavior, field.Member("behavior"));
  ASSIGN_OR_RETURN(const std::string kind, behavior.String());
  if (kind != "Isolated")
    return behavior.Unsupported("only Isolated is supported");
  ASSIGN_OR_RETURN(const bool invert, Flag(field, "invert", false));
  if (invert) return field.Unsupported("invert is not supported");
  ASSIGN_OR_RETURN(const JsonField pattern, field.Member("pattern"));
  ASSIGN_OR_RETURN(const JsonField regex, pattern.Member("Regex"));
  if (regex.absent()) return pattern.Unsupported("only Regex is supported");
  SplitStep split;
  ASSIGN_OR_RETURN(split.pattern, regex.String());
  if (split.pattern.size() > kMaxPatternBytes) {
    return regex.Invalid(
        absl::StrCat("longer than ", kMaxPatternBytes, " bytes"));
  }
  return split;
}

absl::Status ReadPreTokenizer(const JsonField& field, TokenizerSpec* spec) {
  if (field.absent())
    return field.Unsupported("only byte-level ones are supported");
  ASSIGN_OR_RETURN(const std::vector<JsonField> steps,
                   Steps(field, "pretokenizers"));
  bool ended = false;
  for (const JsonField& step : steps) {
    ASSIGN_OR_RETURN(const std::string type, Type(step));
    if (ended) return step.Unsupported("nothing may follow ByteLevel");
    if (type == "Split") {
      ASSIGN_OR_RETURN(SplitStep split, ReadSplit(step));
      spec->pre_tokenizer.emplace_back(std::move(split));
    } else if (type == "Digits") {
      DigitsStep digits;
      ASSIGN_OR_RETURN(digits.individual, Flag(step, "individual_digits"));
      spec->pre_tokenizer.emplace_back(digits);
    } else if (type == "ByteLevel") {
      ByteLevelStep bytes;
      ASSIGN_OR_RETURN(bytes.add_prefix_space, Flag(step, "add_prefix_space"));
      ASSIGN_OR_RETURN(bytes.use_regex, Flag(step, "use_regex", true));
      spec->pre_tokenizer.emplace_back(bytes);
      ended = true;
    } else {
      return Unknown(step, type, "Split, Digits, ByteLevel, Sequence of those");
    }
  }
  if (!ended) return field.Unsupported("does not end with ByteLevel");
  return absl::OkStatus();
}

absl::Status ReadAddedTokens(const JsonField& field, TokenizerSpec* spec) {
  if (field.absent()) return absl::OkStatus();
  RETURN_IF_ERROR(field.ExpectArray());
  if (field.value().size() > kMaxAddedTokens) {
    return field.Invalid(
        absl::StrCat("more than ", kMaxAddedTokens, " tokens"));
  }
  absl::flat_hash_map<std::string_view, TokenId> vocab(spec->vocab.begin(),
                                                       spec->vocab.end());
  std::vector<bool> used(kMaxTokens);
  for (const auto& [token, id] : spec->vocab) used[id] = true;
  absl::flat_hash_set<std::string> contents;
  TokenId next = static_cast<TokenId>(spec->vocab.size());
  for (std::size_t i = 0; i < field.value().size(); ++i) {
    const JsonField entry = field.Element(i);
    AddedToken token;
    ASSIGN_OR_RETURN(const JsonField content, entry.Member("content"));
    ASSIGN_OR_RETURN(token.content, content.String());
    if (token.content.empty() || token.content.size() > kMaxAddedTokenBytes) {
      return content.Invalid(
          absl::StrCat("must have 1 to ", kMaxAddedTokenBytes, " bytes"));
    }
    ASSIGN_OR_RETURN(token.special, Flag(entry, "special"));
    ASSIGN_OR_RETURN(token.single_word, Flag(entry, "single_word"));
    ASSIGN_OR_RETURN(token.lstrip, Flag(entry, "lstrip"));
    ASSIGN_OR_RETURN(token.rstrip, Flag(entry, "rstrip"));
    ASSIGN_OR_RETURN(token.normalized, Flag(entry, "normalized"));
    ASSIGN_OR_RETURN(const JsonField id, entry.Member("id"));
    ASSIGN_OR_RETURN(token.id, ReadTokenId(id));
    if (!contents.insert(token.content).second) {
      return content.Invalid("duplicate of an earlier token");
    }
    // The `tokenizers` library assigns the ids of added tokens itself: one that
    // is in the vocabulary keeps its id, the others follow the vocabulary in
    // order. With another id in the file, file and library would disagree.
    const auto known = vocab.find(token.content);
    const TokenId expected = known != vocab.end() ? known->second : next;
    if (token.id != expected) {
      return id.Invalid(absl::StrCat("is ", token.id,
                                     ", but its position implies ", expected));
    }
    if (known == vocab.end() && used[token.id]) {
      return id.Invalid(absl::StrCat(token.id, " belongs to another token"));
    }
    used[token.id] = true;
    next = std::max(next, token.id + 1);
    spec->added_tokens.push_back(std::move(token));
  }
  return absl::OkStatus();
}

// Ordinary text must never give a control token.
absl::Status CheckSpecialTokensStandApart(const JsonField& root,
                                          const TokenizerSpec& spec) {
  absl::flat_hash_set<TokenId> special;
  for (const AddedToken& token : spec.added_tokens) {
    if (token.special) special.insert(token.id);
  }
  for (const Merge& merge : spec.merges) {
    if (special.contains(merge.merged)) {
      return root.Unsupported(absl::StrCat("model.merges make token ",
                                           merge.merged, ", which is special"));
    }
  }
  for (const TokenId id : spec.byte_tokens) {
    if (special.contains(id)) {
      return root.Unsupported(absl::StrCat("model.vocab: token ", id,
                                           " is a single byte and special"));
    }
  }
  return absl::OkStatus();
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
    ASSIGN_OR_RETURN(const TokenId id, ReadTokenId(ids.Element(i)));
    const auto has_id = [id](const AddedToken& token) {
      return token.id == id;
    };
    if (std::none_of(spec.added_tokens.begin(), spec.added_tokens.end(),
                     has_id)) {
      return ids.Element(i).Invalid("is not the id of an added token");
    }
    out->push_back(id);
  }
  return absl::OkStatus();
}

absl::Status ReadTemplate(const JsonField& processor, TokenizerSpec* spec) {
  if (!spec->prefix.empty() || !spec->suffix.empty()) {
    return processor.Unsupported("only one template is supported");
  }
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

absl::Status ReadPostProcessor(const JsonField& field, TokenizerSpec* spec) {
  if (field.absent()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<JsonField> steps,
                   Steps(field, "processors"));
  for (const JsonField& step : steps) {
    ASSIGN_OR_RETURN(const std::string type, Type(step));
    if (type == "ByteLevel") continue;  // Changes only offsets.
    if (type != "TemplateProcessing") {
      return Unknown(step, type,
                     "ByteLevel, TemplateProcessing, Sequence of those");
    }
    RETURN_IF_ERROR(ReadTemplate(step, spec));
  }
  return absl::OkStatus();
}

absl::Status CheckDecoder(const JsonField& field) {
  if (field.absent()) return field.Unsupported("only ByteLevel is supported");
  ASSIGN_OR_RETURN(const std::vector<JsonField> steps,
                   Steps(field, "decoders"));
  for (const JsonField& step : steps) {
    ASSIGN_OR_RETURN(const std::string type, Type(step));
    if (type != "ByteLevel") return Unknown(step, type, "ByteLevel");
  }
  if (steps.size() != 1) return field.Unsupported("expected one ByteLevel");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerSpec> ParseTokenizerJson(std::string_view json,
                                                 std::string_view source) {
  ASSIGN_OR_RETURN(TokenizerTree tree, ReadTokenizerTree(json, source));
  const JsonField root(tree.json, source);
  TokenizerSpec spec;
  ASSIGN_OR_RETURN(const JsonField model, root.Member("model"));
  RETURN_IF_ERROR(ReadBpeModel(model, &tree, &spec));
  ASSIGN_OR_RETURN(const JsonField normalizer, root.Member("normalizer"));
  RETURN_IF_ERROR(ReadNormalizer(normalizer, &spec));
  ASSIGN_OR_RETURN(const JsonField pre_tokenizer, root.Member("pre_tokenizer"));
  RETURN_IF_ERROR(ReadPreTokenizer(pre_tokenizer, &spec));
  ASSIGN_OR_RETURN(const JsonField added, root.Member("added_tokens"));
  RETURN_IF_ERROR(ReadAddedTokens(added, &spec));
  RETURN_IF_ERROR(CheckSpecialTokensStandApart(root, spec));
  ASSIGN_OR_RETURN(const JsonField post, root.Member("post_processor"));
  RETURN_IF_ERROR(ReadPostProcessor(post, &spec));
  ASSIGN_OR_RETURN(const JsonField decoder, root.Member("decoder"));
  RETURN_IF_ERROR(CheckDecoder(decoder));
  return spec;
}

}  // namespace apollo
