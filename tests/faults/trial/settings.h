#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string>

namespace apollo {

// How scenarios run.
struct Settings {
  std::string programs;    // The folder of the built programs.
  std::string model;       // The directory of the served model.
  std::uint64_t seed = 1;  // Of the moments and the choice of faults.
  // A long run has more and longer faults, and its bars count.
  bool long_run = false;
  // The time of scenarios that take any; zero: their own default.
  absl::Duration duration = absl::ZeroDuration();
  // The result of LeaveMachineNetwork(), for scenarios that need it.
  absl::Status network = absl::UnavailableError(
      "this process has not left the network of the machine");
  int threads = 1;           // Of each worker.
  int experts = 7;           // Of the model.
  int cache_megabytes = 32;  // Of each worker.
};

}  // namespace apollo
