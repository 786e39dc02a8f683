#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace apollo {

// Why an expert worker has an expert of a layer in memory.
enum class ExpertHold {
  kAbsent,   // It has not.
  kFlag,     // --experts or --families.
  kFile,     // --placement=file:PATH.
  kAuto,     // --placement=auto: the measured use.
  kStandby,  // Rows needed it lately.
};

// One expert of one layer, as an expert worker holds and uses it.
struct PlacedExpert {
  int layer = 0;
  int expert = 0;
  ExpertHold hold = ExpertHold::kAbsent;
  std::int64_t since = 0;  // Seconds since 1970; 0 if absent.
  // Rows of the last minutes (expert_worker/expert_demand.h): of its own
  // sequences, of these those that needed it while it was not resident, and
  // those computed for peers.
  std::int64_t own_rows = 0;
  std::int64_t absent_rows = 0;
  std::int64_t guest_rows = 0;
  // Of own_rows, those of the last seconds.
  std::int64_t recent_rows = 0;

  bool operator==(const PlacedExpert&) const = default;
};

// What an expert worker holds and why, for operators, and the use of experts,
// by which its peers decide what they hold (expert_worker/placement_policy.h).
// Experts that are absent and were not used are left out.
struct PlacementReport {
  std::vector<PlacedExpert> experts = {};  // By layer, then expert.
  std::string last_move = {};              // And its reason; empty: none yet.
  std::int64_t last_move_at = 0;           // Seconds since 1970.
  // It moves experts by itself, and can make a move of a surge now or is making
  // one.
  bool moves = false;
  // If it moves experts by itself: those of a layer that it has room for, over
  // all layers. Older versions say this only with `moves`.
  int most_resident = 0;
  // It takes the same worker for the first holder of an expert in all layers.
  // Those of older versions may not: see expert_worker/placement_state.h.
  bool ranks_by_expert = false;
  // It takes over experts that nobody holds (expert_worker/orphan_share.h); it
  // could not load some expert lately.
  bool takes_orphans = false;
  bool loads_fail = false;

  bool operator==(const PlacementReport&) const = default;
};

}  // namespace apollo
