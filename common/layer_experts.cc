#include "common/layer_experts.h"

#include <algorithm>

namespace apollo {

LayerExperts LayerExperts::Of(const std::set<LayerExpert>& each,
                              int first_layer, int end_layer) {
  std::map<int, int> layers_of;  // By expert.
  for (const LayerExpert& e : each) ++layers_of[e.expert];
  LayerExperts experts;
  for (const LayerExpert& e : each) {
    if (layers_of[e.expert] == end_layer - first_layer) {
      experts.everywhere.insert(e.expert);
    } else {
      experts.in_layer[e.layer].insert(e.expert);
    }
  }
  return experts;
}

std::set<LayerExpert> LayerExperts::Each(int first_layer, int end_layer) const {
  std::set<LayerExpert> each;
  for (int layer = first_layer; layer < end_layer; ++layer) {
    for (const int expert : In(layer)) each.insert({layer, expert});
  }
  return each;
}

std::set<int> LayerExperts::In(int layer) const {
  std::set<int> experts = everywhere;
  const auto more = in_layer.find(layer);
  if (more != in_layer.end()) {
    experts.insert(more->second.begin(), more->second.end());
  }
  return experts;
}

int LayerExperts::Highest() const {
  int highest = everywhere.empty() ? -1 : *everywhere.rbegin();
  for (const auto& [layer, experts] : in_layer) {
    if (!experts.empty()) highest = std::max(highest, *experts.rbegin());
  }
  return highest;
}

}  // namespace apollo
