#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <map>

#include "common/layer_experts.h"

namespace apollo {

// The rows that needed each expert of each layer lately, as one expert worker
// sees them. Each count decays with kHalfLife, so that it is about the rows of
// the last minutes, and is 0 once nothing has been counted for kForgetAfter.
// A second count of the same rows is about the last seconds.
// Times are those of one clock and never decrease. Single-threaded.
class ExpertDemand {
 public:
  static constexpr absl::Duration kHalfLife = absl::Minutes(5);
  static constexpr absl::Duration kRecentHalfLife = absl::Seconds(5);
  static constexpr absl::Duration kForgetAfter = absl::Hours(1);

  struct Use {
    double own = 0;     // Rows of this worker's sequences, wherever computed.
    double absent = 0;  // Of these, rows while it was not resident here.
    double guests = 0;  // Rows computed here for peers.
  };

  void Add(LayerExpert which, const Use& rows, absl::Duration now);
  Use At(LayerExpert which, absl::Duration now) const;
  // Returns the rows of the last seconds, which decay with kRecentHalfLife.
  Use Recent(LayerExpert which, absl::Duration now) const;

 private:
  struct Counted {
    Use use;
    Use recent;
    absl::Duration at;  // Of the last addition.
  };
  static Use Decayed(const Use& use, absl::Duration age,
                     absl::Duration half_life);

  std::map<LayerExpert, Counted> counted_;
};

}  // namespace apollo
