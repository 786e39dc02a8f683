#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace apollo::simulate {

// The last reports of the expert workers, as all others see them. Single-
// threaded.
class Board {
 public:
  struct Report {
    std::string name;
    bool up = false;
    std::set<int> resident;
    int running_sequences = 0;
    std::int64_t queued_rows = 0;
    std::uint64_t revision = 0;
  };

  Board(int workers, int experts)
      : reports_(static_cast<std::size_t>(workers)),
        holders_(static_cast<std::size_t>(experts)) {}

  void SetName(int worker, std::string name) {
    reports_[worker].name = std::move(name);
  }
  // Takes the next report of a worker, without its name and revision.
  void Take(int worker, Report report) {
    Report& own = reports_[worker];
    if (own.up != report.up || own.resident != report.resident) {
      for (const int expert : own.resident) Erase(expert, worker);
      if (report.up) {
        for (const int expert : report.resident) Insert(expert, worker);
      }
    }
    report.name = std::move(own.name);
    report.revision = own.revision + 1;
    own = std::move(report);
  }

  const Report& report(int worker) const { return reports_[worker]; }
  // The workers that are up and have the expert, in their order.
  const std::vector<int>& holders(int expert) const { return holders_[expert]; }
  // Returns true if another worker than `except` has the expert.
  bool IsHeld(int expert, int except = -1) const {
    const std::vector<int>& all = holders_[expert];
    return all.size() > 1 || (all.size() == 1 && all.front() != except);
  }

 private:
  void Insert(int expert, int worker) {
    std::vector<int>& all = holders_[expert];
    all.insert(std::lower_bound(all.begin(), all.end(), worker), worker);
  }
  void Erase(int expert, int worker) { std::erase(holders_[expert], worker); }

  std::vector<Report> reports_;
  std::vector<std::vector<int>> holders_;  // By expert.
};

}  // namespace apollo::simulate
