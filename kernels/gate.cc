#include "kernels/gate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "common/check.h"

namespace apollo {

bool ChooseExperts(const float* logits, const GateOptions& options, int pinned,
                   ExpertChoice* choices) {
  APOLLO_CHECK(options.top_k >= 1 && options.top_k <= options.experts);
  APOLLO_CHECK(pinned < options.experts);
  const float top = *std::max_element(logits, logits + options.experts);
  std::vector<float> p(options.experts);
  float sum = 0;
  for (int e = 0; e < options.experts; ++e) {
    p[e] = std::exp(logits[e] - top);
    sum += p[e];
  }
  for (float& value : p) value /= sum;

  std::vector<int> order(options.experts);
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(
      order.begin(), order.begin() + options.top_k, order.end(),
      [&p](int a, int b) { return p[a] != p[b] ? p[a] > p[b] : a < b; });
  order.resize(options.top_k);
  const bool replaces = pinned >= 0 && std::find(order.begin(), order.end(),
                                                 pinned) == order.end();
  if (replaces) order.back() = pinned;
  float chosen = 0;
  for (int j = 0; j < options.top_k; ++j) {
    choices[j] = {order[j], p[order[j]]};
    chosen += p[order[j]];
  }
  if (options.normalize && chosen > 0) {
    for (int j = 0; j < options.top_k; ++j) choices[j].weight /= chosen;
  }
  return replaces;
}

}  // namespace apollo
