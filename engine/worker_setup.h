#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

#include "common/log.h"
#include "common/rows.h"
#include "engine/worker_flags.h"
#include "engine/worker_model.h"
#include "model/language/families.h"

namespace apollo {

// The model and settings that every computing process opens before it creates
// its role.
struct WorkerSetup {
  WorkerModel model;
  FamilyTable families;
  int threads = 1;
  std::string weights;  // The value of --weights, for the log.
  Device device;
  bool prefix_caching = true;

  // Returns the fields for the "started" log line of a worker.
  std::vector<LogField> LogFacts() const;
};

// Opens the model without reading weights. `families_file` is the flag
// --families_file. Errors name the wrong flag or file.
absl::StatusOr<std::unique_ptr<WorkerSetup>> OpenWorkerSetup(
    const WorkerFlags& flags, const std::string& families_file);

}  // namespace apollo
