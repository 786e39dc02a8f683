#pragma once

#include <absl/status/status.h>

#include <functional>
#include <string>

namespace apollo {

// The life of one of the cluster's programs: leaves stop signals to the server,
// parses the command line (`usage` is what --help says above the flags), and
// runs. Returns the exit code: 0, or 1 after printing "PROGRAM: why" to
// standard error if `run` fails.
int RunProgram(int argc, char** argv, const std::string& program,
               const char* usage, const std::function<absl::Status()>& run);

}  // namespace apollo
