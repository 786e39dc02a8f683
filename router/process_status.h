#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

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
  int waiting_sequences = 0;       // For room in the cache.
  std::int64_t rows_computed = 0;  // Of a router: tokens generated.
  // In seconds since 1970; 0: no certificate, or unknown.
  std::int64_t certificate_expires = 0;
  PlacementReport placement = {};
};

// What a caller did since the router's start, for operators.
struct CallerUse {
  std::string name;
  std::int64_t calls = 0;
  // Of these: refused or failed.
  std::int64_t calls_failed = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t generated_tokens = 0;
  int streams = 0;  // In progress.
};

// What a router knows of itself, for operators. The functions may be called
// from any thread and never block; null: unknown.
struct RouterFacts {
  std::string name = {};
  // In seconds since 1970.
  std::function<std::int64_t()> certificate_expires = nullptr;
  // The callers of its policy.
  std::function<std::vector<CallerUse>()> callers = nullptr;
};

}  // namespace apollo
