#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

#include "common/log.h"
#include "engine/worker_flags.h"
#include "engine/worker_model.h"
#include "model/language/families.h"

namespace apollo {

// What each program that computes opens before it has a role.
struct WorkerSetup {
  WorkerModel model;
  FamilyTable families;
  int threads = 1;
  std::string weights;  // The flag, for the log.

  // Facts of it that the "started" line of a worker shows.
  std::vector<LogField> LogFacts() const;
};

// Opens it all; no weight is read. `families_file` is the flag --families.
// Errors name the flag or the file that is wrong.
absl::StatusOr<std::unique_ptr<WorkerSetup>> OpenWorkerSetup(
    const WorkerFlags& flags, const std::string& families_file);

}  // namespace apollo
