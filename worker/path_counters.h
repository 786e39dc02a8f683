#pragma once

#include <cstddef>
#include <cstdint>

#include "common/mutex.h"
#include "link/nccl/nccl_link.h"
#include "serving/counters.h"

namespace apollo {

// Counters of the device paths of all links of a worker (docs/link.md). All are
// 0 in a worker on a CPU.
struct PathCounters {
  Level open_in, open_out;
  // Paths that failed or could not be opened.
  Count faults_in, faults_out;
  // Of rows in the memory of the GPU that were sent to other workers.
  Count nccl_bytes, copied_bytes;
};

inline constexpr MetricRow<PathCounters> kPathMetrics[] = {
    {"apollo_device_paths_open", "Open device paths, by direction.",
     &PathCounters::open_in, "direction", "in"},
    {"apollo_device_paths_open", "Open device paths, by direction.",
     &PathCounters::open_out, "direction", "out"},
    {"apollo_device_path_faults_total",
     "Device paths that failed or could not be opened, by direction.",
     &PathCounters::faults_in, "direction", "in"},
    {"apollo_device_path_faults_total",
     "Device paths that failed or could not be opened, by direction.",
     &PathCounters::faults_out, "direction", "out"},
    {"apollo_device_bytes_sent_total",
     "Bytes of rows sent from the memory of the GPU: by NCCL, or as a copy in "
     "host memory.",
     &PathCounters::nccl_bytes, "path", "nccl"},
    {"apollo_device_bytes_sent_total",
     "Bytes of rows sent from the memory of the GPU: by NCCL, or as a copy in "
     "host memory.",
     &PathCounters::copied_bytes, "path", "copy"},
};

// Counts what the threads of links report. Thread-safe.
class PathCounting {
 public:
  void Changed(bool outgoing, PathChange change) {
    MutexLock lock(mutex_);
    Level& open = outgoing ? counters_.open_out : counters_.open_in;
    Count& faults = outgoing ? counters_.faults_out : counters_.faults_in;
    if (change == PathChange::kOpened) {
      open = open + 1;
      return;
    }
    if (change != PathChange::kNotOpened) open = open - 1;
    if (change != PathChange::kClosed) ++faults;
  }
  void Sent(RowsPath path, std::size_t bytes) {
    MutexLock lock(mutex_);
    Count& count =
        path == RowsPath::kNccl ? counters_.nccl_bytes : counters_.copied_bytes;
    count += static_cast<std::int64_t>(bytes);
  }
  // Any thread may read.
  const PathCounters& counters() const { return counters_; }

 private:
  Mutex mutex_;            // For writing.
  PathCounters counters_;  // Its numbers are atomic.
};

}  // namespace apollo
