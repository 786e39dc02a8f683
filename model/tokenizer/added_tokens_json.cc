#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "common/status_macros.h"
#include "model/tokenizer/bpe_json.h"
#include "model/tokenizer/json_parts.h"
#include "model/tokenizer/utf8.h"

namespace apollo {
namespace {

constexpr std::size_t kMaxAddedTokens = 1 << 16;
constexpr std::size_t kMaxAddedTokenBytes = 1024;

// Reads one entry, with all its flags.
absl::StatusOr<AddedToken> ReadEntry(const JsonField& entry) {
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
  return token;
}

absl::Status ReadEntries(const JsonField& field, TokenizerSpec* spec) {
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
    ASSIGN_OR_RETURN(AddedToken token, ReadEntry(entry));
    ASSIGN_OR_RETURN(const JsonField content, entry.Member("content"));
    ASSIGN_OR_RETURN(const JsonField id, entry.Member("id"));
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

// Returns true if the normalizer could make the content of a token in a text
// that does not contain it.
bool NormalizerCanMake(const TokenizerSpec& spec, const std::string& content) {
  const auto can_make = [&content](const NormalizerStep& step) {
    if (const auto* unicode = std::get_if<UnicodeStep>(&step)) {
      // NFC makes no other ASCII than these three of characters that are not.
      return unicode->form != UnicodeForm::kNfc ||
             std::any_of(content.begin(), content.end(), [](char c) {
               return (c & 0x80) != 0 || c == ';' || c == '`' || c == 'K';
             });
    }
    const auto* replace = std::get_if<ReplaceStep>(&step);
    const std::string& made = replace != nullptr
                                  ? replace->content
                                  : std::get<PrependStep>(step).text;
    return content.find_first_of(made) != content.npos;
  };
  return std::any_of(spec.normalizer.begin(), spec.normalizer.end(), can_make);
}

// Returns true if the content of a token never reaches the model where added
// tokens are parsed: it is always found before.
bool IsAlwaysFound(const TokenizerSpec& spec, const AddedToken& token) {
  return !token.single_word &&
         (token.normalized || !NormalizerCanMake(spec, token.content));
}

// Ordinary text must never give a control token, so the merges that make one
// are removed: it is encoded as if the token did not exist. Returns an error if
// that would change other texts.
absl::Status RemoveMergesOfControlTokens(const JsonField& root,
                                         TokenizerSpec* spec) {
  absl::flat_hash_map<TokenId, const AddedToken*> control;
  for (const AddedToken& token : spec->added_tokens) {
    if (token.IsControl()) control.emplace(token.id, &token);
  }
  absl::flat_hash_set<TokenId> made;
  for (const Merge& merge : spec->merges) {
    if (control.contains(merge.merged)) made.insert(merge.merged);
  }
  absl::flat_hash_set<TokenId> whole;  // Made by ignore_merges.
  if (spec->ignore_merges) {
    for (const auto& [spelling, id] : spec->vocab) {
      if (control.contains(id)) whole.insert(id);
    }
  }
  for (const auto& [id, token] : control) {
    if (!made.contains(id) && !whole.contains(id)) continue;
    if (IsAlwaysFound(*spec, *token)) continue;
    return root.Unsupported(absl::StrCat(
        "added_tokens: token ", id,
        " is also made by model.merges or "
        "ignore_merges, and is not always found before them (it is "
        "single_word, or the normalizer can make it)"));
  }
  for (const Merge& merge : spec->merges) {
    for (const TokenId side : {merge.left, merge.right}) {
      if (!made.contains(side)) continue;
      return root.Unsupported(
          absl::StrCat("model.merges make token ", side,
                       ", an added token, and make others from it"));
    }
  }
  std::erase_if(spec->merges, [&control](const Merge& merge) {
    return control.contains(merge.merged);
  });
  return absl::OkStatus();
}

// The tokens with which encoding starts, too, must not be control tokens.
absl::Status CheckFirstTokens(const JsonField& root,
                              const TokenizerSpec& spec) {
  absl::flat_hash_set<TokenId> first(spec.byte_tokens.begin(),
                                     spec.byte_tokens.end());
  if (!spec.byte_level) {
    for (const auto& [spelling, id] : spec.vocab) {
      if (!spelling.empty() && FirstCharacterBytes(spelling) == spelling.size())
        first.insert(id);
    }
  }
  for (const AddedToken& token : spec.added_tokens) {
    if (!token.IsControl() || !first.contains(token.id)) continue;
    return root.Unsupported(absl::StrCat("added_tokens: token ", token.id,
                                         " is a single byte or character of "
                                         "model.vocab"));
  }
  return absl::OkStatus();
}

}  // namespace

bool AddedToken::IsControl() const {
  constexpr UChar32 kMetaspace = 0x2581;
  if (special) return true;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(content.data());
  for (std::size_t i = 0; i < content.size();) {
    UChar32 c;
    U8_NEXT(bytes, i, content.size(), c);
    if (c != kMetaspace && (c < 0 || !u_isUWhiteSpace(c))) return true;
  }
  return false;
}

absl::Status ReadAddedTokens(const JsonField& root, const JsonField& field,
                             TokenizerSpec* spec) {
  RETURN_IF_ERROR(ReadEntries(field, spec));
  RETURN_IF_ERROR(CheckFirstTokens(root, *spec));
  return RemoveMergesOfControlTokens(root, spec);
}

}  // namespace apollo
