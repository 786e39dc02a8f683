#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <utility>
#include <vector>

#include "common/json.h"
#include "tools/simulate/time.h"

namespace apollo::simulate {

// The time of a piece of work by its number of rows, as measured at some
// numbers: straight lines between them, the first value below the first, and
// the last slope beyond the last.
class RowTimes {
 public:
  // [rows, seconds] by rising rows; at least one.
  explicit RowTimes(std::vector<std::pair<double, double>> points = {{1, 0}})
      : points_(std::move(points)) {}
  // Returns 0 for no rows.
  Time Of(int rows) const;

 private:
  std::vector<std::pair<double, double>> points_;
};

// The measured times of the stages, each for `threads` threads that have their
// processors for themselves. docs/simulation.md describes the file.
struct StageTimes {
  int threads = 1;
  RowTimes dense;      // Embedding and dense layers, by rows of a step.
  RowTimes attention;  // One sparse layer without experts, by rows of a batch.
  RowTimes expert;     // One expert of one layer, by its rows.
  RowTimes head;       // Norm, head and sampling, by sampled tokens.
};

// Reads a table. INVALID_ARGUMENT names the key that is wrong, below `where`.
absl::StatusOr<StageTimes> ReadStageTimes(const Json& json,
                                          const std::string& where);

}  // namespace apollo::simulate
