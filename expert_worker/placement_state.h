#pragma once

#include <absl/time/time.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/layer_experts.h"
#include "expert_worker/expert_demand.h"

namespace apollo {

// Plain data of the decision which experts an expert worker holds
// (expert_worker/placement_policy.h).

// Rows of a worker's sequences that needed an expert, wherever they were
// computed, in both measures of ExpertDemand.
struct ReportedRows {
  double lately = 0;  // Of the last minutes.
  double recent = 0;  // Of the last seconds.
};

// A peer whose results have the same bits, as it describes itself.
struct PlacementPeer {
  std::string name;
  LayerExperts resident;
  bool stays = true;  // Neither draining nor leaving.
  // It decides by the same policy, and can make a move now.
  bool moves = false;
  int most_resident = 0;  // See PlacementState; for one that decides itself.
  std::map<LayerExpert, ReportedRows> own = {};
  bool silent = false;  // Perhaps lost: nobody relies on what it holds.
  // Of an older version: the first holder, which never drops an expert, is for
  // it that of RendezvousRank in each layer, and not that of HolderRank.
  bool ranks_by_layer = false;
  // It takes over experts that nobody holds (expert_worker/orphan_share.h), and
  // could not load some expert lately, so others do that before it.
  bool takes_orphans = false;
  bool loads_fail = false;
  // What it can compute, itself or by others that stay.
  LayerExperts reaches = {};
};

// The state of the worker that decides.
struct PlacementState {
  absl::Duration now;
  absl::Duration last_move;  // Or its start.
  int moves_lately = 0;      // In the last minute.
  std::string name;          // Unique in the cluster.
  int first_layer = 0;       // The sparse layers: [first_layer, end_layer).
  int end_layer = 0;
  int num_experts = 0;
  std::set<LayerExpert> resident = {};
  int most_resident = 0;  // Number of experts, over all layers, in its memory.
  std::vector<PlacementPeer> peers = {};
  const ExpertDemand* demand = nullptr;  // Not null.
  // What it has told its peers last of its own sequences, so that all decide by
  // the same numbers; nullopt: what `demand` says now.
  std::optional<std::map<LayerExpert, ReportedRows>> own = std::nullopt;
  // Experts without a holder wait until then: a peer that was just lost may be
  // back, and those of a new worker may not be known yet.
  absl::Duration orphans_from;
  std::set<LayerExpert> failed = {};  // Could not be loaded lately.
  bool loads_fail = false;            // As it has told its peers.
  bool stands_by = false;             // It can compute any expert, if slowly.
  // What workers held that have said that they stop and are expected back
  // (expert_worker/departures.h), by name. Those may still be among the peers.
  std::map<std::string, LayerExperts> expected = {};
};

struct PlacementRules {
  // The time between two moves by demand, and before the first move.
  absl::Duration between_moves = absl::Seconds(30);
  // Rows, as ExpertDemand counts them, by which the load of a holder of the
  // loaded expert must exceed that of a holder of the dropped one.
  double least_rows = 100;
  // And the factor.
  double hysteresis = 1.3;
  // For moves during a surge: the time between two, their number in a minute,
  // and the rows of the last seconds (ExpertDemand::Recent) instead of
  // `least_rows`. 300 are about 40 rows a second.
  absl::Duration between_surge_moves = absl::Seconds(1);
  int most_surge_moves = 20;
  double surge_rows = 300;
  // Moves in the whole cluster at the same time.
  int most_at_once = 8;
  // The time from the loss of a peer until others take over what only it held.
  absl::Duration takes_over_after = absl::Seconds(2);
  // The time within which a peer that has said that it stops is expected back.
  absl::Duration restart_grace = absl::Seconds(60);
};

// A load, and what to drop for it, if anything.
struct PlacementSwap {
  LayerExpert load;
  std::optional<LayerExpert> drop = std::nullopt;
};

// Load the one first, then drop the other. At least one is set.
struct PlacementMove {
  std::optional<LayerExpert> load = std::nullopt;
  std::optional<LayerExpert> drop = std::nullopt;
  std::string reason = {};  // For operators; one line.
  // The same expert in other layers, to be moved next, one after the other and
  // without a rest between them.
  std::vector<PlacementSwap> further = {};
  bool orphan = false;  // Nobody holds it. Not a move by demand.
};

}  // namespace apollo
