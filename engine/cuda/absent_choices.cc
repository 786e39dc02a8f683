#include "engine/cuda/absent_choices.h"

#include "common/check.h"

namespace apollo::cuda {

std::vector<AbsentChoices> FindAbsent(std::span<const std::int32_t> assignments,
                                      int choices, int top_k, int num_experts,
                                      std::span<const std::uint8_t> dropped,
                                      const std::set<int>& resident) {
  const int count = static_cast<int>(assignments.size());
  APOLLO_CHECK(choices <= count && choices % top_k == 0);
  const auto is_dropped = [&](int c) {
    return !dropped.empty() && c < choices && dropped[c / top_k] != 0;
  };
  std::vector<AbsentChoices> absent;
  std::vector<int> place(num_experts, -1);  // In `absent`.
  for (int e = 0; e < num_experts; ++e) {
    if (resident.contains(e)) continue;
    place[e] = static_cast<int>(absent.size());
    absent.push_back({e, 0, {}});
  }
  std::vector<int> counts(num_experts);
  for (int c = 0; c < count; ++c) {
    if (is_dropped(c)) continue;
    const std::int32_t expert = assignments[c];
    ++counts[expert];
    if (place[expert] < 0) continue;
    APOLLO_CHECK(c < choices);
    absent[place[expert]].choices.push_back(c);
  }
  int position = 0;
  for (int e = 0; e < num_experts; ++e) {
    if (place[e] >= 0) absent[place[e]].first = position;
    position += counts[e];
  }
  std::erase_if(absent,
                [](const AbsentChoices& a) { return a.choices.empty(); });
  return absent;
}

}  // namespace apollo::cuda
