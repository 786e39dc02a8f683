#include "expert_worker/expert_demand.h"

#include <cmath>

namespace apollo {

ExpertDemand::Use ExpertDemand::Decayed(const Counted& counted,
                                        absl::Duration now) {
  const absl::Duration age = now - counted.at;
  if (age >= kForgetAfter) return {};
  const double left = std::exp2(-absl::FDivDuration(age, kHalfLife));
  return {counted.use.own * left, counted.use.absent * left,
          counted.use.guests * left};
}

void ExpertDemand::Add(LayerExpert which, const Use& rows, absl::Duration now) {
  Counted& counted = counted_[which];
  const Use before = Decayed(counted, now);
  counted.use = {before.own + rows.own, before.absent + rows.absent,
                 before.guests + rows.guests};
  counted.at = now;
}

ExpertDemand::Use ExpertDemand::At(LayerExpert which,
                                   absl::Duration now) const {
  const auto it = counted_.find(which);
  return it == counted_.end() ? Use{} : Decayed(it->second, now);
}

}  // namespace apollo
