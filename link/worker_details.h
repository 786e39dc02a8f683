#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "link/worker_info.h"

namespace apollo {

// A worker in a process's list of peers, as that process sees it.
struct ListedWorker {
  std::string address = {};
  // The description that it sent last; nullopt before the first.
  std::optional<WorkerInfo> info = std::nullopt;
  bool linked = false;
  std::string reason = {};  // Why there is no link; empty: not tried yet.

  bool operator==(const ListedWorker&) const = default;
};

// What operators want to know of a dense worker besides its description.
struct WorkerDetails {
  std::vector<ListedWorker> expert_workers = {};
  std::int64_t cache_blocks = 0;  // 0: unknown.
  std::int64_t cache_blocks_used = 0;
  int waiting_sequences = 0;       // For room in the cache.
  std::int64_t rows_computed = 0;  // Since the start.
  // When its certificate expires, in seconds since 1970; 0: it has none.
  std::int64_t certificate_expires = 0;
  bool draining = false;  // It is about to stop.

  bool operator==(const WorkerDetails&) const = default;
};

}  // namespace apollo
