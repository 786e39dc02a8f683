#pragma once

#include <string>
#include <vector>

#include "tools/apollo/options.h"

namespace apollo::client {

enum ExitCode { kOk = 0, kFailed = 1, kUsage = 2, kInterrupted = 130 };

struct Parsed {
  // Set: there is nothing to do but to print `message` and to end with
  // `exit_code`: 0 for a request of help, 2 for a mistake.
  bool done = false;
  int exit_code = kOk;
  std::string message;

  Options options;
};

// Reads the command line, `arguments[0]` being the program's name, and the
// environment variable APOLLO_SERVER. Every argument must be UTF-8.
Parsed ParseCommandLine(const std::vector<std::string>& arguments);

}  // namespace apollo::client
