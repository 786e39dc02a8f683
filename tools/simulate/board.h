#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/layer_experts.h"
#include "expert_worker/placement_state.h"

namespace apollo::simulate {

// The last reports of the expert workers, as all others see them. Single-
// threaded.
class Board {
 public:
  struct Report {
    std::string name;
    bool up = false;
    LayerExperts resident;
    // With placement `auto`: its room, and the rows of its sequences.
    int most_resident = 0;
    std::map<LayerExpert, ReportedRows> own;
    int running_sequences = 0;
    std::int64_t queued_rows = 0;
    std::uint64_t revision = 0;
  };

  Board(int workers, int layers, int experts)
      : layers_(layers),
        experts_(experts),
        reports_(static_cast<std::size_t>(workers)),
        holders_(static_cast<std::size_t>(layers) *
                 static_cast<std::size_t>(experts)) {}

  void SetName(int worker, std::string name) {
    reports_[worker].name = std::move(name);
  }
  // Takes the next report of a worker, without its name and revision.
  void Take(int worker, Report report) {
    Report& own = reports_[worker];
    if (own.up != report.up || own.resident != report.resident) {
      for (const LayerExpert which : own.resident.Each(0, layers_)) {
        std::erase(Holders(which), worker);
      }
      if (report.up) {
        for (const LayerExpert which : report.resident.Each(0, layers_)) {
          std::vector<int>& all = Holders(which);
          all.insert(std::lower_bound(all.begin(), all.end(), worker), worker);
        }
      }
    }
    report.name = std::move(own.name);
    report.revision = own.revision + 1;
    own = std::move(report);
  }

  const Report& report(int worker) const { return reports_[worker]; }
  // The workers that are up and have the expert resident, in their order.
  const std::vector<int>& holders(LayerExpert which) const {
    return holders_[Index(which)];
  }
  // Returns true if another worker than `except` has the expert.
  bool IsHeld(LayerExpert which, int except = -1) const {
    const std::vector<int>& all = holders(which);
    return all.size() > 1 || (all.size() == 1 && all.front() != except);
  }
  // Returns true if every expert is held.
  bool HoldAll() const {
    return std::none_of(holders_.begin(), holders_.end(),
                        [](const auto& all) { return all.empty(); });
  }
  // Returns the number of layers in which a worker has the expert resident.
  int ResidentLayers(int worker, int expert) const {
    const LayerExperts& resident = reports_[worker].resident;
    if (resident.everywhere.contains(expert)) return layers_;
    int layers = 0;
    for (const auto& [layer, experts] : resident.in_layer) {
      layers += experts.contains(expert);
    }
    return layers;
  }

 private:
  std::size_t Index(LayerExpert which) const {
    return static_cast<std::size_t>(which.layer * experts_ + which.expert);
  }
  std::vector<int>& Holders(LayerExpert which) {
    return holders_[Index(which)];
  }

  const int layers_;
  const int experts_;
  std::vector<Report> reports_;
  std::vector<std::vector<int>> holders_;  // By layer and expert.
};

}  // namespace apollo::simulate
