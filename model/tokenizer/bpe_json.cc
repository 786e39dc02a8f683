#include "model/tokenizer/bpe_json.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "model/tokenizer/byte_level.h"

namespace apollo {
namespace {

using VocabIndex = absl::flat_hash_map<std::string_view, TokenId>;

absl::Status CheckBpeVariant(const JsonField& model) {
  ASSIGN_OR_RETURN(const JsonField type, model.Member("type"));
  ASSIGN_OR_RETURN(const std::string name, type.String("BPE"));
  if (name != "BPE") return type.Refused("only BPE is supported");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    ASSIGN_OR_RETURN(const JsonField field, model.Member(key));
    ASSIGN_OR_RETURN(const std::string value, field.String(""));
    if (!value.empty()) return field.Refused("it must be null or empty");
  }
  ASSIGN_OR_RETURN(const JsonField dropout, model.Member("dropout"));
  if (!dropout.absent() && dropout.value() != 0) {
    return dropout.Refused("it must be null: it makes encoding random");
  }
  return absl::OkStatus();
}

absl::Status CheckVocab(const JsonField& field, const TokenizerSpec& spec) {
  if (!field.value().is_object()) return field.Invalid("expected an object");
  std::vector<bool> used(kMaxTokens);
  for (const auto& [token, id] : spec.vocab) {
    if (id < 0 || id >= kMaxTokens) {
      return field.Invalid(absl::StrCat(
          "every id must be an integer from 0 to ", kMaxTokens - 1));
    }
    if (used[id])
      return field.Invalid(absl::StrCat("two tokens have the id ", id));
    used[id] = true;
  }
  return absl::OkStatus();
}

void FindByteTokens(const VocabIndex& index, TokenizerSpec* spec) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto c = static_cast<unsigned char>(byte);
    const auto found =
        index.find(spec->byte_level ? std::string(ByteLevelCharacter(c))
                                    : absl::StrFormat("<0x%02X>", c));
    spec->byte_tokens[byte] = found == index.end() ? kNoToken : found->second;
  }
}

// Checks a vocabulary of byte-level spellings. SmolLM2 has no tokens for some
// control characters, which the `tokenizers` library drops. With an unk_token
// it would replace them instead, with byte_fallback perhaps spell them.
absl::Status CheckByteLevel(const JsonField& model, const TokenizerSpec& spec) {
  int missing = 0;
  int missing_printable = 0;
  for (int byte = 0; byte < 256; ++byte) {
    if (spec.byte_tokens[byte] != kNoToken) continue;
    ++missing;
    missing_printable += byte >= 0x20 && byte < 0x7F;
  }
  if (missing_printable > 0) {
    return model.Invalid("vocab lacks printable ASCII characters");
  }
  ASSIGN_OR_RETURN(const JsonField fallback, model.Member("byte_fallback"));
  ASSIGN_OR_RETURN(const bool byte_fallback, fallback.Bool(false));
  ASSIGN_OR_RETURN(const JsonField unknown, model.Member("unk_token"));
  if (missing > 0 && byte_fallback) {
    return fallback.Refused(
        absl::StrCat("it must be false, as model.vocab lacks tokens for ",
                     missing, " bytes"));
  }
  if (missing > 0 && !unknown.absent()) {
    return unknown.Refused(
        absl::StrCat("it must be null, as model.vocab lacks tokens for ",
                     missing, " bytes"));
  }
  return absl::OkStatus();
}

// Checks a vocabulary of characters: with a token for each byte, no text needs
// the unk_token.
absl::Status CheckByteFallback(const JsonField& model,
                               const TokenizerSpec& spec) {
  ASSIGN_OR_RETURN(const JsonField fallback, model.Member("byte_fallback"));
  ASSIGN_OR_RETURN(const bool byte_fallback, fallback.Bool(false));
  if (!byte_fallback) {
    return fallback.Refused(
        "it must be true, unless pre_tokenizer ends with ByteLevel, so that "
        "every text has tokens");
  }
  for (int byte = 0; byte < 256; ++byte) {
    if (spec.byte_tokens[byte] != kNoToken) continue;
    return fallback.Refused(
        absl::StrFormat("model.vocab lacks the token <0x%02X>", byte));
  }
  return absl::OkStatus();
}

absl::Status ReadMerges(const JsonField& field, const TokenizerTree& tree,
                        const VocabIndex& index, TokenizerSpec* spec) {
  RETURN_IF_ERROR(field.ExpectArray());
  if (tree.merges.size() > kMaxMerges) {
    return field.Invalid(absl::StrCat("more than ", kMaxMerges, " merges"));
  }
  const auto invalid = [&field](std::size_t place, std::string_view what) {
    return field.At(place).Invalid(what);
  };
  spec->merges.reserve(tree.merges.size());
  absl::flat_hash_set<std::pair<TokenId, TokenId>> seen;
  seen.reserve(tree.merges.size());
  std::string both;
  for (const TokenizerTree::Merge& merge : tree.merges) {
    if (merge.left.empty() || merge.right.empty()) {
      return invalid(merge.place, "a side is empty");
    }
    both.assign(merge.left).append(merge.right);
    const auto left = index.find(merge.left);
    const auto right = index.find(merge.right);
    const auto merged = index.find(both);
    if (left == index.end() || right == index.end() || merged == index.end()) {
      return invalid(merge.place, "uses a token that is not in model.vocab");
    }
    if (!seen.emplace(left->second, right->second).second) {
      return invalid(merge.place, "duplicate of an earlier merge");
    }
    spec->merges.push_back({left->second, right->second, merged->second});
  }
  if (tree.bad_merge.has_value()) {
    return invalid(*tree.bad_merge, "expected [\"a\", \"b\"] or \"a b\"");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenId> ReadTokenId(const JsonField& field) {
  const Json& value = field.value();
  if (!value.is_number_integer() || value.get<std::int64_t>() < 0 ||
      value.get<std::int64_t>() >= kMaxTokens) {
    return field.Invalid(
        absl::StrCat("expected an integer from 0 to ", kMaxTokens - 1));
  }
  return value.get<TokenId>();
}

absl::Status ReadBpeModel(const JsonField& model, TokenizerTree* tree,
                          TokenizerSpec* spec) {
  RETURN_IF_ERROR(CheckBpeVariant(model));
  ASSIGN_OR_RETURN(const JsonField ignore_merges,
                   model.Member("ignore_merges"));
  ASSIGN_OR_RETURN(spec->ignore_merges, ignore_merges.Bool(false));
  ASSIGN_OR_RETURN(const JsonField vocab, model.Member("vocab"));
  spec->vocab = std::move(tree->vocab);
  RETURN_IF_ERROR(CheckVocab(vocab, *spec));
  const VocabIndex index(spec->vocab.begin(), spec->vocab.end());
  if (index.size() != spec->vocab.size()) {
    return vocab.Invalid("the same token occurs twice");
  }
  FindByteTokens(index, spec);
  RETURN_IF_ERROR(spec->byte_level ? CheckByteLevel(model, *spec)
                                   : CheckByteFallback(model, *spec));
  ASSIGN_OR_RETURN(const JsonField merges, model.Member("merges"));
  return ReadMerges(merges, *tree, index, spec);
}

}  // namespace apollo
