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

  bool operator==(const WorkerDetails&) const = default;
};

}  // namespace apollo
