#include "tools/upcycle/gate_override.h"

#include <absl/strings/str_cat.h>

namespace apollo {

GateOverride::GateOverride(const WeightSource& source, const Gates& gates)
    : source_(source) {
  for (const auto& [layer, gate] : gates) {
    // The name in the published format, which upcycled models have.
    gates_[absl::StrCat("model.layers.", layer, ".mlp.gate.weight")] = &gate;
  }
}

absl::StatusOr<std::vector<float>> GateOverride::Vector(
    const std::string& name) const {
  const auto it = gates_.find(name);
  if (it != gates_.end()) return *it->second;
  return source_.Vector(name);
}

}  // namespace apollo
