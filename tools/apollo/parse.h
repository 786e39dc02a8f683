#pragma once

#include <string>
#include <vector>

#include "tools/apollo/options.h"

namespace apollo::client {

enum ExitCode { kOk = 0, kFailed = 1, kUsage = 2, kInterrupted = 130 };

struct Parsed {
  // True if the program should print `message` and end with `exit_code`: 0
  // after a request for help, 2 after a usage error.
  bool done = false;
  int exit_code = kOk;
  std::string message;

  Options options;
};

// Parses the command line and the environment variable APOLLO_SERVER.
// `arguments[0]` is the name of the program. Every argument must be UTF-8.
Parsed ParseCommandLine(const std::vector<std::string>& arguments);

}  // namespace apollo::client
