#include "kernels/logits.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace apollo {

float LogSumExp(const float* logits, int size) {
  const float top = *std::max_element(logits, logits + size);
  double sum = 0;
  for (int i = 0; i < size; ++i) sum += std::exp(logits[i] - top);
  return top + static_cast<float>(std::log(sum));
}

std::vector<std::int32_t> TopTokens(const float* logits, int size, int count) {
  count = std::min(count, size);
  std::vector<std::int32_t> order(size);
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [logits](std::int32_t a, std::int32_t b) {
                      return logits[a] != logits[b] ? logits[a] > logits[b]
                                                    : a < b;
                    });
  order.resize(count);
  return order;
}

std::int32_t ArgMax(const float* logits, int size) {
  int best = 0;
  for (int i = 1; i < size; ++i) {
    if (logits[i] > logits[best] || std::isnan(logits[best])) best = i;
  }
  return best;
}

}  // namespace apollo
