#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace apollo::simulate {

// The last reports of the expert workers, as all others see them. Single-
// threaded.
class Board {
 public:
  struct Report {
    std::string name;
    bool up = true;
    std::set<int> resident;
    int running_sequences = 0;
    std::int64_t queued_rows = 0;
    std::uint64_t revision = 0;
  };

  std::vector<Report>& reports() { return reports_; }
  const std::vector<Report>& reports() const { return reports_; }

  // Returns true if some worker that is up has the expert.
  bool IsHeld(int expert) const { return Holder(expert, -1).has_value(); }

  // Returns the worker, other than `except`, that is up, has the expert and has
  // the least load: the first such one.
  std::optional<int> Holder(int expert, int except) const {
    std::optional<int> best;
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (std::size_t w = 0; w < reports_.size(); ++w) {
      const Report& report = reports_[w];
      if (!report.up || static_cast<int>(w) == except) continue;
      const std::int64_t load = report.queued_rows + report.running_sequences;
      if (load < least && report.resident.contains(expert)) {
        best = static_cast<int>(w);
        least = load;
      }
    }
    return best;
  }

 private:
  std::vector<Report> reports_;
};

}  // namespace apollo::simulate
