#pragma once

#include <optional>
#include <string>
#include <vector>

#include "link/worker_details.h"
#include "router/process_status.h"

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
  int queued_rows = 0;
  // nullopt: it does not tell, because it is of an older version.
  std::optional<WorkerDetails> details = std::nullopt;
};

// Returns a status for each dense worker, then for each expert worker that one
// of them lists, each ordered by name, then address. An expert worker that
// several list appears once: with its newest description, reachable if one of
// them is linked to it, and with the others in the reason.
std::vector<ProcessStatus> MergeStatus(const std::vector<DenseStatus>& dense);

}  // namespace apollo
