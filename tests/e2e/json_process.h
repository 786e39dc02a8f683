#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "common/json.h"
#include "tests/e2e/child_process.h"

namespace apollo {

// A program that writes lines of JSON to its standard output: one at its start,
// then one for each line on its standard input. It ends at the end of its input
// and is killed, at the latest, when the test process dies. Single-threaded.
class JsonProcess {
 public:
  // As ChildProcess. The test fails if no pipe can be created.
  JsonProcess(const std::vector<std::string>& argv,
              const std::string& log_file);
  // Ends the program's input and waits for its end.
  ~JsonProcess();
  JsonProcess(const JsonProcess&) = delete;
  JsonProcess& operator=(const JsonProcess&) = delete;

  // Returns the next answer, or {"error": reason} if the program has ended or
  // its line is not JSON.
  Json Read();
  // Sends a request and returns its answer.
  Json Ask(const Json& request);

 private:
  std::FILE* to_ = nullptr;
  std::FILE* from_ = nullptr;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace apollo
