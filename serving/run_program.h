#pragma once

#include <absl/status/status.h>

#include <functional>
#include <string>

namespace apollo {

// Runs one of the cluster's programs: leaves stop signals to the server, parses
// the command line (serving/command_line.h), forbids core dumps unless
// --core_dumps allows them, and calls `run`. `--help` prints `usage` and the
// flags, `--version` the version, to standard output. Returns the exit code: 0,
// also if `run` returns CANCELLED because of a stop signal, or 1 after printing
// "PROGRAM: reason" to standard error if `run` fails or an argument is wrong.
int RunProgram(int argc, char** argv, const std::string& program,
               const char* usage, const std::function<absl::Status()>& run);

}  // namespace apollo
