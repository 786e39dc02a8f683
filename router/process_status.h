#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "sequence/placement_report.h"

namespace apollo {

enum class ProcessRole { kRouter, kDenseWorker, kExpertWorker };
enum class ProcessState { kReady, kNotReady, kDraining, kUnreachable };

// One process of the cluster, for operators.
struct ProcessStatus {
  ProcessRole role = ProcessRole::kRouter;
  std::string name = {};
  std::string address = {};
  ProcessState state = ProcessState::kReady;
  std::string reason = {};
  std::string model_hash = {};
  std::string version = {};
  // Experts in memory in every sparse layer, and others by layer.
  std::set<int> experts = {};
  std::map<int, std::set<int>> layer_experts = {};
  int running_sequences = 0;
  int queued_rows = 0;
  std::int64_t cache_tokens = 0;  // 0: unknown.
  std::optional<double> cache_use = std::nullopt;
  PlacementReport placement = {};
};

}  // namespace apollo
