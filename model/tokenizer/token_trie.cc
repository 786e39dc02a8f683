#include "model/tokenizer/token_trie.h"

#include <algorithm>
#include <array>
#include <deque>

namespace apollo {

// Places nodes in order of depth, so that the upper levels are adjacent in
// memory.
class TokenTrieBuilder {
 public:
  using Tokens = std::vector<std::pair<std::string_view, TokenId>>;

  std::optional<TokenTrie> Build(Tokens tokens) {
    std::sort(tokens.begin(), tokens.end());
    Grow(512);
    Take(0);
    waiting_.push_back({0, 0, tokens.size(), 0});
    while (!waiting_.empty()) {
      const Node node = waiting_.front();
      waiting_.pop_front();
      if (!Place(node, tokens)) return std::nullopt;
    }
    return std::move(trie_);
  }

 private:
  // A node and the sorted tokens below it, which share their first `depth`
  // bytes.
  struct Node {
    std::size_t cell, first, last, depth;
  };
  static constexpr int kTries = 64;
  static constexpr std::size_t kNone = ~std::size_t{0};

  bool Place(Node node, const Tokens& tokens) {
    std::uint64_t& cell = trie_.cells_[node.cell];
    if (node.first < node.last &&
        tokens[node.first].first.size() == node.depth) {
      cell |= static_cast<std::uint64_t>(tokens[node.first].second + 1)
              << TokenTrie::kTokenShift;
      ++node.first;
    }
    if (node.first == node.last) return true;
    const auto byte = [&](std::size_t i) {
      return static_cast<unsigned char>(tokens[i].first[node.depth]);
    };
    int labels = 0;
    std::array<unsigned char, 256> label;
    std::array<std::size_t, 257> start;
    for (std::size_t i = node.first; i < node.last; ++i) {
      if (labels == 0 || byte(i) != label[labels - 1]) {
        start[labels] = i;
        label[labels++] = byte(i);
      }
    }
    start[labels] = node.last;
    const std::size_t base = FindBase(label.data(), labels);
    if (base > TokenTrie::kMaxBase) return false;
    base_used_[base] = true;
    trie_.cells_[node.cell] |= static_cast<std::uint64_t>(base)
                               << TokenTrie::kBaseShift;
    for (int i = 0; i < labels; ++i) {
      const std::size_t child = base + label[i];
      Take(child);
      trie_.cells_[child] = TokenTrie::kUsed | label[i];
      waiting_.push_back({child, start[i], start[i + 1], node.depth + 1});
    }
    return true;
  }

  // Returns an unused nonzero base at which the cells of all children are free.
  // Tries the first free cells, then the end.
  std::size_t FindBase(const unsigned char* label, int labels) {
    std::size_t cell = first_free_;
    for (int tries = 0; tries < kTries && cell != kNone; ++tries) {
      if (cell > label[0]) {
        const std::size_t base = cell - label[0];
        if (base + 256 > trie_.cells_.size()) Grow(base + 256);
        if (!base_used_[base] &&
            std::all_of(label, label + labels,
                        [&](unsigned char b) { return free_[base + b]; })) {
          return base;
        }
      }
      cell = next_[cell];
    }
    // A cell that so many nodes could not use is not tried again.
    if (cell != kNone && labels == 1) Take(first_free_);
    const std::size_t base = trie_.cells_.size();
    Grow(base + 256);
    return base;
  }

  // Adds free cells up to `size`.
  void Grow(std::size_t size) {
    const std::size_t old = trie_.cells_.size();
    trie_.cells_.resize(size, 0);
    base_used_.resize(size, false);
    free_.resize(size, true);
    next_.resize(size, kNone);
    before_.resize(size, kNone);
    for (std::size_t cell = old; cell < size; ++cell) {
      before_[cell] = last_free_;
      (last_free_ == kNone ? first_free_ : next_[last_free_]) = cell;
      last_free_ = cell;
    }
  }

  // Removes a cell from the list of free ones.
  void Take(std::size_t cell) {
    free_[cell] = false;
    const std::size_t before = before_[cell];
    const std::size_t next = next_[cell];
    (before == kNone ? first_free_ : next_[before]) = next;
    (next == kNone ? last_free_ : before_[next]) = before;
  }

  TokenTrie trie_;
  std::deque<Node> waiting_;
  std::vector<bool> base_used_, free_;
  std::vector<std::size_t> next_, before_;  // Free cells, doubly linked.
  std::size_t first_free_ = kNone, last_free_ = kNone;
};

std::optional<TokenTrie> TokenTrie::Build(
    std::vector<std::pair<std::string_view, TokenId>> tokens) {
  return TokenTrieBuilder().Build(std::move(tokens));
}

}  // namespace apollo
