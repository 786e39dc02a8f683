#include "model/tokenizer/tokenizer.h"

#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

#include <algorithm>
#include <utility>

#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/bpe.h"
#include "model/tokenizer/byte_level.h"
#include "model/tokenizer/character_bpe.h"
#include "model/tokenizer/normalizer.h"
#include "model/tokenizer/pre_tokenizer.h"
#include "model/tokenizer/tokenizer_json.h"
#include "model/tokenizer/utf8.h"

namespace apollo {
namespace {

// The largest published tokenizer.json has 33 MB.
constexpr std::size_t kMaxFileBytes = std::size_t{128} << 20;

// Returns the byte that "<0x0A>" stands for.
std::optional<char> FallbackByte(std::string_view token) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') {
    return std::nullopt;
  }
  const int high = digit(token[3]);
  const int low = digit(token[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

// Returns the bytes of a token. Like the `tokenizers` library, also decodes
// added tokens from byte-level spelling if all their characters allow it.
std::string DecodedBytes(const DecoderSpec& decoder, std::string spelling) {
  if (decoder.byte_level) {
    return BytesOfByteLevel(spelling).value_or(spelling);
  }
  for (const ReplaceStep& step : decoder.replace) {
    if (spelling.find(step.pattern) == spelling.npos) continue;
    spelling = absl::StrReplaceAll(spelling, {{step.pattern, step.content}});
  }
  if (decoder.byte_fallback) {
    const std::optional<char> byte = FallbackByte(spelling);
    if (byte.has_value()) return std::string(1, *byte);
  }
  return spelling;
}

// Returns the bytes of each token, by id.
std::vector<std::string> BytesOfTokens(const TokenizerSpec& spec) {
  std::vector<std::string> bytes;
  const auto set = [&](const std::string& spelling, TokenId id) {
    if (bytes.size() <= static_cast<std::size_t>(id)) bytes.resize(id + 1);
    bytes[id] = DecodedBytes(spec.decoder, spelling);
  };
  for (const auto& [spelling, id] : spec.vocab) set(spelling, id);
  for (const AddedToken& token : spec.added_tokens)
    set(token.content, token.id);
  return bytes;
}

absl::StatusOr<std::vector<AddedToken>> TokensToFind(const TokenizerSpec& spec,
                                                     bool after_normalizer) {
  const Normalizer normalizer(spec.normalizer);
  std::vector<AddedToken> tokens;
  for (const AddedToken& token : spec.added_tokens) {
    if (token.normalized != after_normalizer) continue;
    if (after_normalizer) {
      std::string storage;
      ASSIGN_OR_RETURN(
          const std::string_view content,
          normalizer.Normalize(token.content, /*start=*/true, &storage));
      if (content != token.content) {
        return absl::UnimplementedError(absl::StrCat(
            "added_tokens: token ", token.id,
            " is normalized, and the normalizer changes its name, with which "
            "it would be decoded"));
      }
    }
    tokens.push_back(token);
  }
  return tokens;
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
        normalizer(spec.normalizer),
        pre_tokenizer(std::move(p)),
        special(token_bytes.size()),
        control(token_bytes.size()),
        known(token_bytes.size()) {
    if (spec.byte_level) {
      bpe.emplace(spec, token_bytes);
    } else {
      character_bpe.emplace(spec);
    }
    for (const auto& [spelling, id] : spec.vocab) known[id] = true;
    for (const AddedToken& token : spec.added_tokens) {
      known[token.id] = true;
      special[token.id] = token.special;
      control[token.id] = token.IsControl();
      added_ids.emplace(token.content, token.id);
      added_contents.emplace(token.id, token.content);
    }
    spec.vocab = {};  // Large, and no longer needed.
    spec.merges = {};
  }

  struct Scratch {
    std::string normalized;
    std::vector<AddedTokenFinder::Segment> segments;
    PreTokenizer::Pieces pieces;
    Bpe::Scratch bpe;
    CharacterBpe::Scratch character_bpe;
  };

  // Encodes normalized text without added tokens. `start` tells that nothing
  // precedes it.
  absl::Status EncodePlain(std::string_view text, bool start, Scratch* scratch,
                           std::vector<TokenId>* ids) const {
    RETURN_IF_ERROR(pre_tokenizer.Split(text, start, &scratch->pieces));
    for (const std::string_view piece : scratch->pieces.pieces) {
      if (bpe.has_value()) {
        bpe->Encode(piece, &scratch->bpe, ids);
      } else {
        character_bpe->Encode(piece, &scratch->character_bpe, ids);
      }
    }
    return absl::OkStatus();
  }

  // Returns the ranges `ordinary` of `text` as ranges of its normalized form.
  // If a character was made across a border of one, all of it is ordinary: then
  // it cannot be told which text is whose.
  absl::StatusOr<std::vector<TextRange>> NormalizedRanges(
      std::string_view text, std::string_view normalized,
      std::span<const TextRange> ordinary) const {
    std::vector<TextRange> ranges;
    if (ordinary.empty()) return ranges;
    std::string joined, storage;
    std::size_t done = 0;
    const auto append = [&](std::size_t end) -> absl::Status {
      ASSIGN_OR_RETURN(const std::string_view part,
                       normalizer.Normalize(text.substr(done, end - done),
                                            /*start=*/done == 0, &storage));
      joined.append(part);
      done = end;
      return absl::OkStatus();
    };
    const bool whole = ordinary[0].begin == 0 && ordinary[0].end == text.size();
    if (!whole) {
      for (const TextRange& range : ordinary) {
        RETURN_IF_ERROR(append(range.begin));
        const std::size_t begin = joined.size();
        RETURN_IF_ERROR(append(range.end));
        ranges.push_back({begin, joined.size()});
      }
      RETURN_IF_ERROR(append(text.size()));
    }
    if (joined != normalized) ranges = {{0, normalized.size()}};
    return ranges;
  }

  // Encodes a part of the text without tokens of `in_raw_text`.
  absl::Status EncodeSegment(std::string_view text, bool start,
                             std::span<const TextRange> ordinary,
                             Scratch* scratch,
                             std::vector<TokenId>* ids) const {
    ASSIGN_OR_RETURN(
        const std::string_view normalized,
        normalizer.Normalize(text, /*start=*/true, &scratch->normalized));
    if (in_normalized_text.empty()) {
      return EncodePlain(normalized, start, scratch, ids);
    }
    ASSIGN_OR_RETURN(const std::vector<TextRange> ranges,
                     NormalizedRanges(text, normalized, ordinary));
    in_normalized_text.Find(normalized, ranges, &scratch->segments);
    for (const auto& segment : scratch->segments) {
      if (segment.token != kNoToken) {
        ids->push_back(segment.token);
      } else {
        RETURN_IF_ERROR(EncodePlain(
            segment.text, start && segment.text.data() == normalized.data(),
            scratch, ids));
      }
    }
    return absl::OkStatus();
  }

  TokenizerSpec spec;
  std::vector<std::string> token_bytes;  // By id.
  AddedTokenFinder in_raw_text, in_normalized_text;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::optional<Bpe> bpe;                     // Of a byte-level vocabulary,
  std::optional<CharacterBpe> character_bpe;  // or of one of characters.
  std::vector<bool> special, control, known;  // By id.
  absl::flat_hash_map<std::string, TokenId> added_ids;
  absl::flat_hash_map<TokenId, std::string_view> added_contents;
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
  const TextRange all = {0, text.size()};
  if (special == SpecialText::kParse || text.empty()) {
    return EncodeMixed(text, {});
  }
  return EncodeMixed(text, {&all, 1});
}

absl::StatusOr<std::vector<TokenId>> Tokenizer::EncodeMixed(
    std::string_view text, std::span<const TextRange> ordinary) const {
  if (text.size() > kMaxTextBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the text has ", text.size(), " bytes; at most ",
                     kMaxTextBytes, " can be encoded"));
  }
  const std::size_t valid = ValidUtf8Prefix(text);
  if (valid != text.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the text is not valid UTF-8 at byte ", valid));
  }
  std::vector<TokenId> ids;
  Parts::Scratch scratch;
  std::vector<AddedTokenFinder::Segment> segments;
  std::vector<TextRange> inside;  // The ranges of one segment.
  parts_->in_raw_text.Find(text, ordinary, &segments);
  for (const auto& segment : segments) {
    const std::size_t begin = segment.text.data() - text.data();
    const std::size_t end = begin + segment.text.size();
    while (!ordinary.empty() && ordinary.front().end <= begin) {
      ordinary = ordinary.subspan(1);
    }
    if (segment.token != kNoToken) {
      ids.push_back(segment.token);
      continue;
    }
    inside.clear();
    for (const TextRange& range : ordinary) {
      const std::size_t first = std::max(range.begin, begin);
      const std::size_t last = std::min(range.end, end);
      if (range.begin >= end) break;
      if (first < last) inside.push_back({first - begin, last - begin});
    }
    RETURN_IF_ERROR(parts_->EncodeSegment(segment.text, begin == 0, inside,
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
  const Leading leading = this->leading();
  std::size_t removed = 0;
  for (int i = 0; i < leading.count; ++i) {
    if (!std::string_view(text).substr(removed).starts_with(leading.character))
      break;
    removed += leading.character.size();
  }
  text.erase(0, removed);
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
  const std::optional<TokenId> id = AddedTokenId(content);
  return id.has_value() && IsSpecial(*id) ? id : std::nullopt;
}

std::optional<TokenId> Tokenizer::AddedTokenId(std::string_view content) const {
  const auto found = parts_->added_ids.find(ToAbsl(content));
  if (found == parts_->added_ids.end()) return std::nullopt;
  return found->second;
}

std::string_view Tokenizer::AddedTokenContent(TokenId id) const {
  const auto found = parts_->added_contents.find(id);
  return found == parts_->added_contents.end() ? "" : found->second;
}

bool Tokenizer::IsSpecial(TokenId id) const {
  return id >= 0 && static_cast<std::size_t>(id) < parts_->special.size() &&
         parts_->special[id];
}

bool Tokenizer::IsControl(TokenId id) const {
  return id >= 0 && static_cast<std::size_t>(id) < parts_->control.size() &&
         parts_->control[id];
}

std::vector<std::string> Tokenizer::ControlTokens() const {
  std::vector<const AddedToken*> tokens;
  for (const AddedToken& token : parts_->spec.added_tokens) {
    if (token.IsControl()) tokens.push_back(&token);
  }
  std::sort(
      tokens.begin(), tokens.end(),
      [](const AddedToken* a, const AddedToken* b) { return a->id < b->id; });
  std::vector<std::string> spellings;
  for (const AddedToken* token : tokens) spellings.push_back(token->content);
  return spellings;
}

Tokenizer::Leading Tokenizer::leading() const {
  return {parts_->spec.decoder.strip, parts_->spec.decoder.strip_count};
}

std::string_view Tokenizer::TokenBytes(TokenId id) const {
  if (id < 0 || static_cast<std::size_t>(id) >= parts_->token_bytes.size()) {
    return {};
  }
  return parts_->token_bytes[id];
}

std::size_t Tokenizer::vocab_size() const { return parts_->token_bytes.size(); }

}  // namespace apollo
