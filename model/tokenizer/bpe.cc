#include "model/tokenizer/bpe.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "common/check.h"
#include "model/tokenizer/byte_level.h"

namespace apollo {
namespace {

// Limits the time of the search, which is proportional to the longest token.
// (Qwen2's longest has 128 bytes.)
constexpr std::size_t kMaxTokenBytes = 512;

// Returns true if every merge that makes a token precedes all merges that use
// it.
bool IsOrderly(std::span<const Merge> merges, std::size_t tokens) {
  std::vector<std::size_t> last_made(tokens, 0);  // Rank + 1.
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    last_made[merges[rank].merged] = rank + 1;
  }
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    if (last_made[merges[rank].left] > rank ||
        last_made[merges[rank].right] > rank) {
      return false;
    }
  }
  return true;
}

}  // namespace

Bpe::Bpe(const TokenizerSpec& spec, const std::vector<std::string>& token_bytes)
    : merging_(spec.byte_tokens, spec.merges), tokens_(token_bytes.size()) {
  FindSoundTokens(spec, token_bytes);
  const bool huge =
      std::any_of(tokens_.begin(), tokens_.end(), [](const Token& token) {
        return token.size > static_cast<std::int32_t>(kMaxTokenBytes);
      });
  if (huge || !IsOrderly(spec.merges, token_bytes.size())) return;
  std::vector<std::pair<std::string_view, TokenId>> sound;
  for (std::size_t id = 0; id < tokens_.size(); ++id) {
    if (tokens_[id].size > 0) sound.emplace_back(token_bytes[id], id);
  }
  trie_ = TokenTrie::Build(std::move(sound));
  if (!trie_.has_value()) return;
  for (std::size_t id = 0; id < tokens_.size(); ++id) {
    if (tokens_[id].size < 2) continue;
    const std::string_view bytes = token_bytes[id];
    tokens_[id].shorter = trie_->Longest(bytes.substr(0, bytes.size() - 1));
  }
}

void Bpe::FindSoundTokens(const TokenizerSpec& spec,
                          const std::vector<std::string>& token_bytes) {
  absl::flat_hash_set<TokenId> control;
  for (const AddedToken& token : spec.added_tokens) {
    if (token.IsControl()) control.insert(token.id);
  }
  Merging::Scratch scratch;
  std::vector<TokenId> ids;
  for (const auto& [spelling, id] : spec.vocab) {
    // A token that is not spelled in bytes cannot occur in text.
    const std::string& bytes = token_bytes[id];
    if (control.contains(id) || bytes.empty() ||
        bytes != BytesOfByteLevel(spelling)) {
      continue;
    }
    ids.clear();
    const std::int32_t last = merging_.Encode(bytes, &scratch, &ids);
    if (ids.size() == 1 && ids[0] == id) {
      Token& token = tokens_[id];
      token.size = static_cast<std::int32_t>(bytes.size());
      token.rank = last;
      if (last >= 0) {
        token.left = spec.merges[last].left;
        token.right = spec.merges[last].right;
      }
    } else if (spec.ignore_merges) {
      whole_.emplace(bytes, id);
    }
  }
}

void Bpe::Encode(std::string_view piece, Scratch* scratch,
                 std::vector<TokenId>* out) const {
  if (!whole_.empty()) {
    const auto found = whole_.find(piece);
    if (found != whole_.end()) {
      out->push_back(found->second);
      return;
    }
  }
  if (trie_.has_value() && Search(piece, scratch, out)) return;
  merging_.Encode(piece, &scratch->merging_, out);
}

// Merges across the border can only join a suffix token x of `a` with a prefix
// token y of `b`, while both exist: from the merge that makes each until the
// merge of each into the next larger part. Merges happen in order of rank, so
// (x, y) is merged if its rank precedes both of those ends. At equal rank the
// leftmost merge comes first: that of x with the part before it precedes (x,
// y), and (x, y) precedes that of y with the part after it.
//
// The loop visits these pairs from the last to the first. Pairs whose parts
// never exist at the same time do no harm: the rank of (x, y) is greater than
// the ranks that made x and y, and comes too late.
bool Bpe::Compatible(TokenId a, TokenId b) const {
  constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  std::int64_t x_end = kNever;
  std::int64_t y_end = kNever;
  TokenId x = a;
  TokenId y = b;
  while (true) {
    const std::uint32_t rank = merging_.Rank(x, y);
    if (rank != PairTable::kNone && rank < x_end && rank <= y_end) return false;
    const Token& last = tokens_[x];
    const Token& first = tokens_[y];
    if (last.rank < 0 && first.rank < 0) return true;
    if (last.rank > first.rank) {
      x_end = last.rank;
      x = last.right;
    } else {
      y_end = first.rank;
      y = first.left;
    }
  }
}

// Returns false, with `out` unchanged, if the piece has bytes without a token.
bool Bpe::Search(std::string_view piece, Scratch* scratch,
                 std::vector<TokenId>* out) const {
  const std::size_t start = out->size();
  std::vector<bool>& dead = scratch->dead_;
  bool any_dead = false;
  std::size_t place = 0;
  TokenId next = trie_->Longest(piece);
  while (place < piece.size()) {
    if (next == kNoToken && place == 0) break;
    while (next != kNoToken) {
      ++scratch->steps_;
      const std::size_t end = place + tokens_[next].size;
      if (!(any_dead && dead[end]) &&
          (out->size() == start || Compatible(out->back(), next))) {
        break;
      }
      next = tokens_[next].shorter;
    }
    if (next != kNoToken) {
      out->push_back(next);
      place += tokens_[next].size;
      if (place == piece.size()) return true;
      next = trie_->Longest(piece.substr(place));
      if (next == kNoToken) break;
      continue;
    }
    if (!any_dead) dead.assign(piece.size() + 1, false);
    any_dead = true;
    dead[place] = true;
    APOLLO_CHECK(out->size() > start);
    place -= tokens_[out->back()].size;
    next = tokens_[out->back()].shorter;
    out->pop_back();
  }
  out->resize(start);
  return piece.empty();
}

}  // namespace apollo
