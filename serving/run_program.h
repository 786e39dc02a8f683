#pragma once

#include <absl/status/status.h>

#include <functional>
#include <string>

namespace apollo {

// Runs one of the cluster's programs: leaves stop signals to the server, parses
// the command line (`--help` prints `usage` above the flags), and calls `run`.
// Returns the exit code: 0, or 1 after printing "PROGRAM: reason" to standard
// error if `run` fails or an argument is not a flag.
int RunProgram(int argc, char** argv, const std::string& program,
               const char* usage, const std::function<absl::Status()>& run);

}  // namespace apollo
