#include "model/tokenizer/tokenizer.h"

#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/bpe.h"
#include "model/tokenizer/byte_level.h"
#include "model/tokenizer/nfc.h"
#include "model/tokenizer/pre_tokenizer.h"
#include "model/tokenizer/tokenizer_json.h"
#include "model/tokenizer/utf8.h"

namespace apollo {
namespace {

// The largest published tokenizer.json has 33 MB.
constexpr std::size_t kMaxFileBytes = std::size_t{128} << 20;

// Returns the bytes of each token, by id. Like the `tokenizers` library, also
// decodes added tokens from byte-level spelling if all their characters allow
// it.
std::vector<std::string> BytesOfTokens(const TokenizerSpec& spec) {
  std::vector<std::string> bytes;
  const auto set = [&bytes](const std::string& spelling, TokenId id) {
    if (bytes.size() <= static_cast<std::size_t>(id)) bytes.resize(id + 1);
    bytes[id] = BytesOfByteLevel(spelling).value_or(spelling);
  };
  for (const auto& [spelling, id] : spec.vocab) set(spelling, id);
  for (const AddedToken& token : spec.added_tokens)
    set(token.content, token.id);
  return bytes;
}

absl::StatusOr<std::vector<AddedToken>> TokensToFind(const TokenizerSpec& spec,
                                                     bool after_normalizer) {
  std::vector<AddedToken> tokens;
  for (AddedToken token : spec.added_tokens) {
    if (token.normalized != after_normalizer) continue;
    if (after_normalizer && spec.nfc) {
      std::string storage;
      ASSIGN_OR_RETURN(const std::string_view content,
                       NormalizeNfc(token.content, &storage));
      token.content = std::string(content);
    }
    const auto same = [&token](const AddedToken& other) {
      return other.content == token.content;
    };
    if (std::any_of(tokens.begin(), tokens.end(), same)) {
      return absl::InvalidArgumentError(
          absl::StrCat("added_tokens: token ", token.id,
                       " equals another after normalisation"));
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

absl::Status CheckText(std::string_view text) {
  if (text.size() > Tokenizer::kMaxTextBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the text has ", text.size(), " bytes; at most ",
                     Tokenizer::kMaxTextBytes, " can be encoded"));
  }
  const std::size_t valid = ValidUtf8Prefix(text);
  if (valid != text.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the text is not valid UTF-8 at byte ", valid));
  }
  return absl::OkStatus();
}

absl::Status InFile(std::string_view source, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(ToAbsl(source), ": ", status.message()));
}

}  // namespace

struct Tokenizer::Parts {
  Parts(TokenizerSpec s, PreTokenizer p, std::span<const AddedToken> raw,
        std::span<const AddedToken> normalized)
      : spec(std::move(s)),
        token_bytes(BytesOfTokens(spec)),
        in_raw_text(raw),
        in_normalized_text(normalized),
        pre_tokenizer(std::move(p)),
        bpe(spec, token_bytes),
        special(token_bytes.size()),
        known(token_bytes.size()) {
    for (const auto& [spelling, id] : spec.vocab) known[id] = true;
    for (const AddedToken& token : spec.added_tokens) {
      known[token.id] = true;
      if (!token.special) continue;
      special[token.id] = true;
      special_ids.emplace(token.content, token.id);
    }
    spec.vocab = {};  // Large, and no longer needed.
    spec.merges = {};
  }

  struct Scratch {
    std::string normalized;
    std::vector<AddedTokenFinder::Segment> segments;
    PreTokenizer::Pieces pieces;
    Bpe::Scratch bpe;
  };

  absl::Status EncodePlain(std::string_view text, Scratch* scratch,
                           std::vector<TokenId>* ids) const {
    RETURN_IF_ERROR(pre_tokenizer.Split(text, &scratch->pieces));
    for (const std::string_view piece : scratch->pieces.pieces) {
      bpe.Encode(piece, &scratch->bpe, ids);
    }
    return absl::OkStatus();
  }

  // Encodes a part of the text without tokens of `in_raw_text`.
  absl::Status EncodeSegment(std::string_view text, bool special_is_plain,
                             Scratch* scratch,
                             std::vector<TokenId>* ids) const {
    if (spec.nfc) {
      ASSIGN_OR_RETURN(text, NormalizeNfc(text, &scratch->normalized));
    }
    if (in_normalized_text.empty()) return EncodePlain(text, scratch, ids);
    in_normalized_text.Find(text, special_is_plain, &scratch->segments);
    for (const auto& segment : scratch->segments) {
      if (segment.token != kNoToken) {
        ids->push_back(segment.token);
      } else {
        RETURN_IF_ERROR(EncodePlain(segment.text, scratch, ids));
      }
    }
    return absl::OkStatus();
  }

  // Encodes a part of a text without tokens of `in_raw_text`. If normalization
  // changes it, its tokens can no longer be located, and none is a control
  // token if it touches the ranges `ordinary`.
  absl::Status EncodeMixedSegment(std::string_view text, std::size_t offset,
                                  std::span<const TextRange> ordinary,
                                  Scratch* scratch,
                                  std::vector<TokenId>* ids) const {
    const std::string_view raw = text;
    if (spec.nfc) {
      ASSIGN_OR_RETURN(text, NormalizeNfc(text, &scratch->normalized));
    }
    if (in_normalized_text.empty()) return EncodePlain(text, scratch, ids);
    TextRange whole = {offset, offset + raw.size()};
    if (text != raw && Touches(ordinary, whole)) {
      whole.end = offset + text.size();
      ordinary = {&whole, 1};
    }
    in_normalized_text.FindBetween(text, offset, ordinary, &scratch->segments);
    for (const auto& segment : scratch->segments) {
      if (segment.token != kNoToken) {
        ids->push_back(segment.token);
      } else {
        RETURN_IF_ERROR(EncodePlain(segment.text, scratch, ids));
      }
    }
    return absl::OkStatus();
  }

  TokenizerSpec spec;
  std::vector<std::string> token_bytes;  // By id.
  AddedTokenFinder in_raw_text, in_normalized_text;
  PreTokenizer pre_tokenizer;
  Bpe bpe;
  std::vector<bool> special, known;  // By id.
  absl::flat_hash_map<std::string, TokenId> special_ids;
};

Tokenizer::Tokenizer(std::unique_ptr<const Parts> parts)
    : parts_(std::move(parts)) {}

Tokenizer::~Tokenizer() = default;

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Load(
    const std::string& path) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  if (file.bytes().size() > kMaxFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": has ", file.bytes().size(), " bytes; at most ",
                     kMaxFileBytes, " are accepted"));
  }
  return Parse(
      {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()},
      path);
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Parse(
    std::string_view json, std::string_view source) {
  ASSIGN_OR_RETURN(TokenizerSpec spec, ParseTokenizerJson(json, source));
  auto pre_tokenizer = PreTokenizer::Create(spec.pre_tokenizer);
  if (!pre_tokenizer.ok()) {
    return InFile(source, InFile("pre_tokenizer", pre_tokenizer.status()));
  }
  auto raw = TokensToFind(spec, /*after_normalizer=*/false);
  if (!raw.ok()) return InFile(source, raw.status());
  auto normalized = TokensToFind(spec, /*after_normalizer=*/true);
  if (!normalized.ok()) return InFile(source, normalized.status());
  auto parts = std::make_unique<const Parts>(
      std::move(spec), *std::move(pre_tokenizer), *raw, *normalized);
  return std::unique_ptr<const Tokenizer>(new Tokenizer(std::move(parts)));
}

absl::StatusOr<std::vector<TokenId>> Tokenizer::Encode(
    std::string_view text, SpecialText special) const {
  RETURN_IF_ERROR(CheckText(text));
  const bool special_is_plain = special == SpecialText::kPlain;
  std::vector<TokenId> ids;
  Parts::Scratch scratch;
  std::vector<AddedTokenFinder::Segment> segments;
  parts_->in_raw_text.Find(text, special_is_plain, &segments);
  for (const auto& segment : segments) {
    if (segment.token != kNoToken) {
      ids.push_back(segment.token);
      continue;
    }
    RETURN_IF_ERROR(
        parts_->EncodeSegment(segment.text, special_is_plain, &scratch, &ids));
  }
  return ids;
}

absl::StatusOr<std::vector<TokenId>> Tokenizer::EncodeMixed(
    std::string_view text, std::span<const TextRange> ordinary) const {
  RETURN_IF_ERROR(CheckText(text));
  std::vector<TokenId> ids;
  Parts::Scratch scratch;
  std::vector<AddedTokenFinder::Segment> segments;
  parts_->in_raw_text.FindBetween(text, 0, ordinary, &segments);
  for (const auto& segment : segments) {
    if (segment.token != kNoToken) {
      ids.push_back(segment.token);
      continue;
    }
    const auto offset =
        static_cast<std::size_t>(segment.text.data() - text.data());
    RETURN_IF_ERROR(parts_->EncodeMixedSegment(segment.text, offset, ordinary,
                                               &scratch, &ids));
  }
  return ids;
}

absl::StatusOr<std::string> Tokenizer::Decode(std::span<const TokenId> ids,
                                              bool skip_special) const {
  std::string text;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const TokenId id = ids[i];
    if (id < 0 || static_cast<std::size_t>(id) >= parts_->known.size() ||
        !parts_->known[id]) {
      return absl::InvalidArgumentError(
          absl::StrCat("the id at index ", i, " is not in the vocabulary of ",
                       parts_->known.size(), " tokens"));
    }
    if (skip_special && parts_->special[id]) continue;
    text.append(parts_->token_bytes[id]);
  }
  return text;
}

std::span<const TokenId> Tokenizer::prefix_ids() const {
  return parts_->spec.prefix;
}

std::span<const TokenId> Tokenizer::suffix_ids() const {
  return parts_->spec.suffix;
}

std::optional<TokenId> Tokenizer::SpecialTokenId(
    std::string_view content) const {
  const auto found = parts_->special_ids.find(ToAbsl(content));
  if (found == parts_->special_ids.end()) return std::nullopt;
  return found->second;
}

bool Tokenizer::IsSpecial(TokenId id) const {
  return id >= 0 && static_cast<std::size_t>(id) < parts_->special.size() &&
         parts_->special[id];
}

std::vector<std::string> Tokenizer::ControlTokens() const {
  std::vector<const AddedToken*> tokens;
  for (const AddedToken& token : parts_->spec.added_tokens) {
    if (ControlsChat(token)) tokens.push_back(&token);
  }
  std::sort(
      tokens.begin(), tokens.end(),
      [](const AddedToken* a, const AddedToken* b) { return a->id < b->id; });
  std::vector<std::string> spellings;
  for (const AddedToken* token : tokens) spellings.push_back(token->content);
  return spellings;
}

std::string_view Tokenizer::TokenBytes(TokenId id) const {
  if (id < 0 || static_cast<std::size_t>(id) >= parts_->token_bytes.size()) {
    return {};
  }
  return parts_->token_bytes[id];
}

std::size_t Tokenizer::vocab_size() const { return parts_->token_bytes.size(); }

}  // namespace apollo
