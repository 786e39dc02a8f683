#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "engine/worker_setup.h"

namespace apollo {

// A tiny model for tests of roles, and a setup for it on one thread.
inline constexpr char kGoldenModel[] = "tests/golden/published";

inline absl::StatusOr<std::unique_ptr<WorkerSetup>> OpenGoldenSetup() {
  WorkerFlags flags;
  flags.model.model = kGoldenModel;
  flags.model.cache_megabytes = 1;
  flags.threads = 1;
  return OpenWorkerSetup(flags, /*families_file=*/"");
}

}  // namespace apollo
