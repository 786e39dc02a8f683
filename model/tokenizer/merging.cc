#include "model/tokenizer/merging.h"

#include <algorithm>

namespace apollo {

Merging::Merging(const std::array<TokenId, 256>& byte_tokens,
                 std::span<const Merge> merges)
    : byte_tokens_(byte_tokens), pairs_(merges.size()) {
  merged_.reserve(merges.size());
  for (const Merge& merge : merges) {
    pairs_.Insert(merge.left, merge.right,
                  static_cast<std::uint32_t>(merged_.size()));
    merged_.push_back(merge.merged);
  }
}

void Merging::Scratch::Append(TokenId token) {
  const auto i = static_cast<std::int32_t>(symbols_.size());
  symbols_.push_back({token, i - 1, i + 1});
}

std::int32_t Merging::Encode(std::string_view piece, Scratch* scratch,
                             std::vector<TokenId>* out) const {
  if (piece.size() <= kShort) {
    TokenId tokens[kShort];
    std::size_t size = 0;
    for (const char c : piece) {
      const TokenId token = byte_tokens_[static_cast<unsigned char>(c)];
      if (token != kNoToken) tokens[size++] = token;
    }
    return MergeShort(tokens, size, out);
  }
  scratch->symbols_.clear();
  for (const char c : piece) {
    const TokenId token = byte_tokens_[static_cast<unsigned char>(c)];
    if (token != kNoToken) scratch->Append(token);
  }
  return MergeLong(scratch, out);
}

std::int32_t Merging::Encode(std::span<const TokenId> tokens, Scratch* scratch,
                             std::vector<TokenId>* out) const {
  if (tokens.size() <= kShort) {
    TokenId copy[kShort];
    std::copy(tokens.begin(), tokens.end(), copy);
    return MergeShort(copy, tokens.size(), out);
  }
  scratch->symbols_.clear();
  for (const TokenId token : tokens) scratch->Append(token);
  return MergeLong(scratch, out);
}

std::int32_t Merging::MergeShort(TokenId* tokens, std::size_t size,
                                 std::vector<TokenId>* out) const {
  std::uint32_t ranks[kShort];  // Rank of tokens i and i + 1.
  for (std::size_t i = 0; i + 1 < size; ++i) {
    ranks[i] = Rank(tokens[i], tokens[i + 1]);
  }
  std::int32_t last = -1;
  while (size > 1) {
    const std::uint32_t* best = std::min_element(ranks, ranks + size - 1);
    if (*best == PairTable::kNone) break;
    const std::size_t i = best - ranks;
    last = static_cast<std::int32_t>(*best);
    tokens[i] = merged_[last];
    std::copy(tokens + i + 2, tokens + size, tokens + i + 1);
    std::copy(ranks + i + 1, ranks + size - 1, ranks + i);
    --size;
    if (i + 1 < size) ranks[i] = Rank(tokens[i], tokens[i + 1]);
    if (i > 0) ranks[i - 1] = Rank(tokens[i - 1], tokens[i]);
  }
  out->insert(out->end(), tokens, tokens + size);
  return last;
}

std::int32_t Merging::MergeLong(Scratch* scratch,
                                std::vector<TokenId>* out) const {
  using Symbol = Scratch::Symbol;
  using Candidate = Scratch::Candidate;
  std::vector<Symbol>& symbols = scratch->symbols_;
  std::vector<Candidate>& heap = scratch->heap_;
  const auto worse = [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  };
  // Finds the candidate of symbol `left` and its successor, if they are a pair.
  const auto candidate = [&](std::int32_t left, Candidate* result) {
    const Symbol& a = symbols[left];
    if (a.behind < 0) return false;
    const TokenId right = symbols[a.behind].token;
    const std::uint32_t rank = Rank(a.token, right);
    *result = {rank, left, a.token, right};
    return rank != PairTable::kNone;
  };

  heap.clear();
  if (symbols.empty()) return -1;
  symbols.back().behind = -1;
  const auto size = static_cast<std::int32_t>(symbols.size());
  Candidate next;
  for (std::int32_t i = 0; i < size; ++i) {
    if (candidate(i, &next)) heap.push_back(next);
  }
  std::make_heap(heap.begin(), heap.end(), worse);
  std::int32_t last = -1;
  while (!heap.empty()) {
    ++scratch->steps_;
    std::pop_heap(heap.begin(), heap.end(), worse);
    const Candidate best = heap.back();
    heap.pop_back();
    Symbol& left = symbols[best.left];
    if (left.token != best.left_token || left.behind < 0 ||
        symbols[left.behind].token != best.right_token) {
      continue;
    }
    Symbol& right = symbols[left.behind];
    last = static_cast<std::int32_t>(best.rank);
    left.token = merged_[last];
    right.token = kNoToken;
    left.behind = right.behind;
    if (left.behind >= 0) symbols[left.behind].before = best.left;
    for (const std::int32_t i : {left.before, best.left}) {
      if (i >= 0 && candidate(i, &next)) {
        heap.push_back(next);
        std::push_heap(heap.begin(), heap.end(), worse);
      }
    }
  }
  for (std::int32_t i = 0; i >= 0; i = symbols[i].behind) {
    out->push_back(symbols[i].token);
  }
  return last;
}

}  // namespace apollo
