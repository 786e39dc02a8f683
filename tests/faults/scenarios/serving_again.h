#pragma once

#include <absl/status/status.h>

#include <string>

#include "tests/faults/trial/trial.h"

namespace apollo {

// Waits until a process has handled further tokens of the running streams.
// DEADLINE_EXCEEDED if it does not.
absl::Status AwaitServing(Trial& trial, const std::string& name);

}  // namespace apollo
