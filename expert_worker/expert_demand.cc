#include "expert_worker/expert_demand.h"

#include <cmath>

namespace apollo {

ExpertDemand::Use ExpertDemand::Decayed(const Use& use, absl::Duration age,
                                        absl::Duration half_life) {
  if (age >= kForgetAfter) return {};
  const double left = std::exp2(-absl::FDivDuration(age, half_life));
  return {use.own * left, use.absent * left, use.guests * left};
}

void ExpertDemand::Add(LayerExpert which, const Use& rows, absl::Duration now) {
  Counted& counted = counted_[which];
  const absl::Duration age = now - counted.at;
  const auto sum = [&](const Use& before) {
    return Use{before.own + rows.own, before.absent + rows.absent,
               before.guests + rows.guests};
  };
  counted.use = sum(Decayed(counted.use, age, kHalfLife));
  counted.recent = sum(Decayed(counted.recent, age, kRecentHalfLife));
  counted.at = now;
}

ExpertDemand::Use ExpertDemand::At(LayerExpert which,
                                   absl::Duration now) const {
  const auto it = counted_.find(which);
  if (it == counted_.end()) return {};
  return Decayed(it->second.use, now - it->second.at, kHalfLife);
}

ExpertDemand::Use ExpertDemand::Recent(LayerExpert which,
                                       absl::Duration now) const {
  const auto it = counted_.find(which);
  if (it == counted_.end()) return {};
  return Decayed(it->second.recent, now - it->second.at, kRecentHalfLife);
}

}  // namespace apollo
