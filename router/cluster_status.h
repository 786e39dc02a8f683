#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "link/worker_details.h"

namespace apollo {

// A dense worker as a router sees it, with what the worker knows itself.
struct DenseStatus {
  std::string address = {};  // Empty: in the router's process.
  bool answered = false;
  // It takes requests of this router.
  bool usable = false;
  std::string reason = {};  // Why it does not; one line.
  // The last that is known, even if it does not answer now.
  std::string name = {};
  std::string model_hash = {};
  std::string version = {};
  int running_sequences = 0;
  // nullopt: it does not tell, because it is of an older version.
  std::optional<WorkerDetails> details = std::nullopt;
};

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
  LayerExperts experts = {};
  int running_sequences = 0;
  int queued_rows = 0;
  std::int64_t cache_tokens = 0;  // 0: unknown.
  std::optional<double> cache_use = std::nullopt;
};

// Returns a status for each dense worker, then for each expert worker that one
// of them lists, each ordered by name, then address. An expert worker that
// several list appears once: with its newest description, reachable if one of
// them is linked to it, and with the others in the reason.
std::vector<ProcessStatus> MergeStatus(const std::vector<DenseStatus>& dense);

}  // namespace apollo
