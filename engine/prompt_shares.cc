#include "engine/prompt_shares.h"

#include <algorithm>
#include <numeric>

namespace apollo {
namespace {

// Divides rows among prompts of one priority. Returns the rows that are left.
int ShareWithinPriority(std::span<const PromptLeft> prompts, int budget,
                        bool best_gets_odd_row, std::span<int> shares) {
  const auto left = [&](int i) { return prompts[i].rows - shares[i]; };
  const auto give = [&](int i, int rows) {
    rows = std::min(left(i), rows);
    shares[i] += rows;
    budget -= rows;
    return rows;
  };
  std::vector<int> by_length(prompts.size());
  std::iota(by_length.begin(), by_length.end(), 0);
  std::stable_sort(by_length.begin(), by_length.end(), [&](int a, int b) {
    return prompts[a].rows < prompts[b].rows;
  });
  for (std::size_t first = 0; first < prompts.size() && budget > 0; ++first) {
    int others = (budget + (best_gets_odd_row ? 0 : 1)) / 2;
    for (const int i : by_length) {
      if (others == 0 || left(i) > left(first) / 2) break;
      others -= give(i, others);
    }
    give(static_cast<int>(first), budget);
  }
  return budget;
}

}  // namespace

std::vector<int> SharePromptRows(std::span<const PromptLeft> prompts,
                                 int budget, bool best_gets_odd_row) {
  std::vector<int> shares(prompts.size());
  for (std::size_t begin = 0; begin < prompts.size() && budget > 0;) {
    std::size_t end = begin;
    while (end < prompts.size() &&
           prompts[end].lowness == prompts[begin].lowness) {
      ++end;
    }
    budget =
        ShareWithinPriority(prompts.subspan(begin, end - begin), budget,
                            best_gets_odd_row, {&shares[begin], end - begin});
    begin = end;
  }
  return shares;
}

}  // namespace apollo
