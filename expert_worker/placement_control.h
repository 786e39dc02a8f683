#pragma once

#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/layer_experts.h"
#include "engine/expert_stage.h"
#include "expert_worker/departures.h"
#include "expert_worker/expert_demand.h"
#include "expert_worker/expert_residence.h"
#include "expert_worker/placement_file.h"
#include "expert_worker/placement_policy.h"
#include "model/config/model_config.h"
#include "sequence/placement_report.h"

namespace apollo {

// Decides which experts an expert worker holds: those it began with, those of a
// placement file, or those that its measured use asks for
// (expert_worker/placement_policy.h). Single-threaded.
class PlacementControl {
 public:
  // Entries of a report at most, so that a description stays below 400 KB. An
  // automatic placement must be able to report every expert of every layer; of
  // larger models a report has the first ones.
  static constexpr std::size_t kMostEntries = 8192;

  struct Options {
    // Moves experts by measured use.
    bool automatic = false;
    PlacementRules rules = {};
    // Most residents of an automatic placement, over all layers; 0: as many as
    // the worker began with.
    int most_resident = 0;
    // The wall clock at time 0 of the worker's clock, for operators.
    absl::Time zero = absl::UnixEpoch();
  };

  // The config and the residence must outlive it.
  PlacementControl(const Options& options, std::string name,
                   const ModelConfig& config, ExpertResidence& residence,
                   absl::Duration now);

  // Count rows. CountOwn takes the outcomes of a batch.
  void CountOwn(std::span<const SliceOutcome> outcomes, absl::Duration now);
  void CountGuests(LayerExpert which, int rows, absl::Duration now) {
    demand_.Add(which, {0, 0, static_cast<double>(rows)}, now);
  }

  // Notes that a peer is about to stop, and what it holds.
  void PeerStops(const std::string& peer, const LayerExperts& resident,
                 absl::Duration now) {
    if (options_.automatic) departures_.Announced(peer, resident, now);
  }
  // For a worker that is about to stop: returns true if peers have room for
  // experts that it alone holds, so that they will load some.
  bool PeersTakeOver(std::span<const PlacementPeer> peers) const;

  // Takes a new placement file. A worker without a line keeps what it holds.
  void TakeFile(Placement placement, absl::Duration now);
  // Returns true if Decide may move something now.
  bool Decides(absl::Duration now) const {
    return options_.automatic && !residence_.loading() &&
           (now >= next_decision_ || !further_.empty());
  }
  // Makes the next move of an automatic placement, if there is one to make,
  // by descriptions of the peers that are some seconds old. Not for a
  // worker that is about to stop.
  void Decide(std::vector<PlacementPeer> peers, absl::Duration now);

  // Returns true if the expert stays reachable for all workers without this
  // one: a peer keeps it. Two workers never rely on each other.
  bool Dispensable(LayerExpert which,
                   std::span<const PlacementPeer> peers) const;

  // Returns the report for operators and peers; Decide relies on the last one,
  // as the peers do.
  PlacementReport Report(absl::Duration now);
  // Returns the time between two reports if nothing moves. Peers that move
  // experts decide by these reports.
  absl::Duration ReportEvery() const {
    return options_.automatic ? absl::Seconds(1) : absl::Seconds(5);
  }

 private:
  // The time between two decisions, and how long peers wait for a move.
  static constexpr absl::Duration kDecideEvery = absl::Milliseconds(250);
  static constexpr absl::Duration kMoveTakes = absl::Seconds(5);
  // A load that takes longer counts as one that fails.
  static constexpr absl::Duration kLongLoad = absl::Seconds(30);

  // Begins the next part of the move in progress. Returns false if there is
  // none, or if the rest of the move is given up for an expert that nobody
  // holds.
  bool GoOn(const std::vector<PlacementPeer>& peers, absl::Duration now);
  // Notes whether a peer was lost, or is back.
  void NoteLosses(const std::vector<PlacementPeer>& peers, absl::Duration now);
  // Returns true if the move is the one in progress.
  bool InProgress(const PlacementMove& move) const;
  // Returns true if this worker must load an expert that nobody holds, which
  // the move in progress does not.
  bool MustGiveWay(const std::vector<PlacementPeer>& peers,
                   absl::Duration now) const;
  // Returns true if some expert could not be loaded lately, one takes long, or
  // a drop that must come first does.
  bool LoadsFail(absl::Duration now) const;
  // Returns true if the worker can make a move of a surge, or is making one.
  bool CanMove(absl::Duration now) const;
  void ForgetOldMoves(absl::Duration now);
  void Note(std::string move, absl::Duration now);
  PlacementState StateAt(absl::Duration now) const;
  int MostResident() const {
    return options_.most_resident > 0 ? options_.most_resident : began_with_;
  }
  std::set<LayerExpert> Residents() const;
  std::int64_t WallSeconds(absl::Duration at) const {
    return absl::ToUnixSeconds(options_.zero + at);
  }

  const Options options_;
  const std::string name_;
  const ModelConfig& config_;
  ExpertResidence& residence_;
  const int began_with_;
  const absl::Duration started_;
  ExpertDemand demand_;
  // The start of the last move, and of its last part; or of the worker.
  absl::Duration move_began_;
  absl::Duration last_move_;
  absl::Duration next_decision_;
  std::deque<absl::Duration> moves_;   // In the last minute, by use.
  std::deque<PlacementSwap> further_;  // The rest of the move in progress.
  // See PlacementState::orphans_from.
  absl::Duration orphans_from_;
  std::set<std::string> staying_;  // Peers, at the last decision.
  Departures departures_;
  std::optional<LayerExpert> taking_over_;  // The last orphan.
  std::string last_move_text_;
  std::optional<Placement> file_;
  // As last reported: the rows of its own sequences, and that loads fail.
  std::map<LayerExpert, ReportedRows> reported_;
  bool reported_failing_ = false;
  // Since when it has more residents than it may, and so takes nothing over.
  std::optional<absl::Duration> crowded_since_;
};

}  // namespace apollo
