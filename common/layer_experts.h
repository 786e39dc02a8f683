#pragma once

#include <compare>
#include <initializer_list>
#include <map>
#include <set>
#include <utility>

namespace apollo {

// One expert of one sparse layer.
struct LayerExpert {
  int layer = 0;
  int expert = 0;
  auto operator<=>(const LayerExpert&) const = default;
};

// Experts by sparse layer.
struct LayerExperts {
  LayerExperts() = default;
  // The same experts in every sparse layer.
  LayerExperts(std::set<int> experts)  // NOLINT: a set is meant to convert.
      : everywhere(std::move(experts)) {}
  LayerExperts(std::initializer_list<int> experts) : everywhere(experts) {}

  // Returns the same set in its only normal form, for the sparse layers
  // [first_layer, end_layer): an expert of all of them is in `everywhere`.
  static LayerExperts Of(const std::set<LayerExpert>& each, int first_layer,
                         int end_layer);
  // Returns each expert of the layers [first_layer, end_layer).
  std::set<LayerExpert> Each(int first_layer, int end_layer) const;

  bool Has(int layer, int expert) const {
    if (everywhere.contains(expert)) return true;
    const auto it = in_layer.find(layer);
    return it != in_layer.end() && it->second.contains(expert);
  }
  bool Has(LayerExpert which) const { return Has(which.layer, which.expert); }
  // Returns the experts of a layer.
  std::set<int> In(int layer) const;
  // Returns the highest number of an expert, or -1.
  int Highest() const;
  bool operator==(const LayerExperts&) const = default;

  std::set<int> everywhere;               // In every sparse layer.
  std::map<int, std::set<int>> in_layer;  // Further experts, by layer.
};

}  // namespace apollo
