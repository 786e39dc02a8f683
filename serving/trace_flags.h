#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "serving/process_flags.h"
#include "serving/trace_setup.h"

namespace apollo {

// The flags that send traces to a collector: --trace_endpoint and --trace_ca.

// Reads them after absl::ParseCommandLine and SecureProcess. `service` is the
// program, and `sample` Tracer::sample, of the flag --trace_sample. Starts
// nothing: Tracer::Start does. Returns INVALID_ARGUMENT naming the flag for a
// malformed value or a file that cannot be read, and FAILED_PRECONDITION for a
// collector beyond this machine without TLS or --allow_plaintext.
absl::StatusOr<TraceSetup> ReadTraceFlags(const std::string& service,
                                          const ProcessFlags& process,
                                          double sample = 1);

}  // namespace apollo
