#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "common/clock.h"
#include "common/layer_experts.h"
#include "engine/expert_stage.h"
#include "expert_worker/expert_counters.h"
#include "sequence/placement_report.h"

namespace apollo {

// Which experts an expert worker has in memory: the resident ones, which it
// offers to its peers, and those on standby, which came because rows needed
// them and go when others need the room or nobody needs them any more.
//
// Weights are loaded elsewhere, one expert at a time, while the stage works.
// They enter and leave the stage between two pieces of its work: HasWork and
// Work. Experts that rows wait for come first, then those of a new placement;
// what a new placement does not want goes only after all of it has come.
// Single-threaded.
class ExpertResidence {
 public:
  struct Options {
    // Most bytes of weights on standby; 0: no expert stands by.
    std::int64_t standby_bytes = 0;
    // Why it holds those that the stage begins with.
    ExpertHold first = ExpertHold::kFlag;
    // Time without use after which an expert leaves standby.
    absl::Duration unused_for = absl::Minutes(1);
    // How weights come; null for a stage that takes none. `bytes` returns the
    // size of an expert. `load` begins a load, whose end Loaded reports.
    std::function<std::int64_t(LayerExpert)> bytes = nullptr;
    std::function<void(LayerExpert)> load = nullptr;
  };
  struct Held {
    ExpertHold hold = ExpertHold::kFlag;
    absl::Duration since;
    absl::Duration used;  // Last use, for standby.
  };
  // Facts of the moment, which may change between calls.
  struct Facts {
    // Rows for the expert wait for the stage, so it must stay.
    absl::FunctionRef<bool(LayerExpert)> needed;
    // Others would still reach the expert if this worker dropped it.
    absl::FunctionRef<bool(LayerExpert)> dispensable;
  };

  // All arguments must outlive the residence.
  ExpertResidence(Options options, ExpertStage& stage, ExpertCounters& counters,
                  const Clock& clock);

  // The experts that stay in memory, without those on standby.
  const LayerExperts& resident() const { return resident_; }
  // Everything in memory.
  const std::map<LayerExpert, Held>& held() const { return held_; }
  // Returns the bytes to load before the expert can run here, with those of
  // other experts that are to come first: 0 if it is in memory. Nullopt: it
  // cannot come for rows.
  std::optional<std::int64_t> BytesToLoad(LayerExpert which) const;
  // Returns true if every expert can come for rows.
  bool StandsByForAll() const { return stands_by_for_all_; }

  // Notes that rows wait for an expert with BytesToLoad. It will come, or
  // Loaded reports the error.
  void Want(LayerExpert which);
  // Notes a use of an expert in memory.
  void Used(LayerExpert which);
  // Sets the experts to hold from now on, for the reason. What could not be
  // loaded is tried again at once for a file, otherwise when its pause is over.
  void Place(std::set<LayerExpert> target, ExpertHold reason);
  // Returns true if it holds exactly the experts that it is to hold.
  bool settled() const { return !moving_; }
  // Returns true if an expert that it is to hold could not be loaded, and waits
  // for its next try.
  bool RetriesLater() const;
  // Returns the experts that could not be loaded and whose pause is not over.
  std::set<LayerExpert> FailedLately() const;
  // Returns true while an expert is being loaded.
  bool loading() const { return loading_.has_value(); }
  // Returns when the load in progress began, until its weights are here.
  std::optional<absl::Duration> loading_since() const {
    if (!loading_ || loading_->weights != nullptr) return std::nullopt;
    return loading_->begun;
  }

  // Takes the result of `load`. An error ends the waiting for the expert, and
  // is the caller's to report to those who wanted it.
  void Loaded(LayerExpert which,
              absl::StatusOr<std::unique_ptr<ExpertWeights>> weights);

  // HasWork returns true if Work would do something. Work does one thing; the
  // stage must be idle. Returns the expert that has come into the stage, if
  // one has.
  bool HasWork(const Facts& facts) const;
  std::optional<LayerExpert> Work(const Facts& facts);

 private:
  struct Loading {
    LayerExpert which;
    bool standby = false;  // Its bytes count as standby.
    absl::Duration begun;
    std::unique_ptr<ExpertWeights> weights = nullptr;  // Once it has come.
  };
  enum class Action { kNone, kAdmit, kKeep, kLoad, kDrop, kEvict };
  struct Task {
    Action action = Action::kNone;
    LayerExpert which;
  };

  Task Next(const Facts& facts) const;
  Task NextLoad(const Facts& facts) const;
  Task NextDrop(const Facts& facts) const;
  // The expert on standby that was not used for the longest time.
  std::optional<LayerExpert> LeastUsed(const Facts& facts) const;

  bool Admit();
  void Begin(LayerExpert which);
  void Drop(LayerExpert which);
  void Remove(LayerExpert which);
  bool IsResident(LayerExpert which) const;
  // Returns true if all of the target is resident.
  bool Complete() const;
  bool FitsStandby(std::int64_t bytes) const {
    return standby_used_ + bytes <= options_.standby_bytes;
  }
  std::int64_t BytesOf(LayerExpert which) const {
    return options_.bytes(which);
  }
  void CountResident(const std::set<LayerExpert>& resident);
  // Updates what is derived from held_.
  void Publish();

  const Options options_;
  ExpertStage& stage_;
  ExpertCounters& counters_;
  const Clock& clock_;
  bool stands_by_for_all_ = false;
  std::map<LayerExpert, Held> held_;
  LayerExperts resident_;
  std::set<LayerExpert> target_;
  ExpertHold target_reason_;
  std::deque<LayerExpert> wanted_;  // Rows wait for these.
  std::optional<Loading> loading_;
  // When to try again what failed.
  std::map<LayerExpert, absl::Duration> retry_at_;
  std::int64_t standby_used_ = 0;
  // Derived: the resident experts are not those of the target.
  bool moving_ = false;
};

}  // namespace apollo
