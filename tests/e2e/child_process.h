#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace apollo {

// A program started by a test. It is killed, at the latest, when this object
// goes away or when the test process dies. One thread.
class ChildProcess {
 public:
  // argv[0] is the path of the program. Its standard error goes to `log_file`.
  ChildProcess(const std::vector<std::string>& argv,
               const std::string& log_file);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  bool Running();

  // Memory that it has in RAM; 0 if it has ended.
  std::int64_t ResidentBytes();

  // Sends a signal, if it still runs.
  void Signal(int signal_number);

  // Waits for the end; the exit status, or 128 + the signal that ended it.
  int Wait();

  // SIGTERM, then Wait.
  int Stop();

 private:
  pid_t pid_ = -1;
  int status_ = -1;  // Once it has ended.
};

}  // namespace apollo
