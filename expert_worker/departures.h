#pragma once

#include <absl/time/time.h>

#include <map>
#include <string>
#include <vector>

#include "common/layer_experts.h"
#include "expert_worker/placement_state.h"

namespace apollo {

// Peers that have said that they are about to stop. Such a departure is
// planned, mostly for a restart, so they are expected back: for `grace` from
// when they said so, and again from when they are gone. Then they count as
// lost. Single-threaded.
class Departures {
 public:
  explicit Departures(absl::Duration grace) : grace_(grace) {}

  // Notes that a peer is about to stop, and what it holds. May be repeated.
  void Announced(const std::string& peer, const LayerExperts& resident,
                 absl::Duration now);
  // Takes the peers as they are at `now`: which of those that were announced
  // are gone, and which are back. Times that pass are noted here.
  void Update(const std::vector<PlacementPeer>& peers, absl::Duration now);

  // Returns what those held that are expected back, by name, as of the last
  // call of another function.
  std::map<std::string, LayerExperts> Expected() const;

 private:
  struct Departure {
    LayerExperts resident;
    absl::Duration until;
    bool gone = false;
    bool over = false;  // Not expected any more, but not gone yet.
  };

  const absl::Duration grace_;
  std::map<std::string, Departure> departures_;
};

}  // namespace apollo
