#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace apollo {

// A program started by a test. It is killed when this object is destroyed or
// the test process dies, if it is still running. Single-threaded.
class ChildProcess {
 public:
  // argv[0] is the path of the program. Its standard error goes to `log_file`.
  ChildProcess(const std::vector<std::string>& argv,
               const std::string& log_file);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  bool Running();

  // Returns the resident memory in bytes, or 0 if the program has ended.
  std::int64_t ResidentBytes();

  // Sends a signal if the program is running.
  void Signal(int signal_number);

  // Waits for the end. Returns the exit status, or 128 + the number of the
  // signal that ended it.
  int Wait();

  // Sends SIGTERM, then waits.
  int Stop();

 private:
  pid_t pid_ = -1;
  int status_ = -1;  // Valid once it has ended.
};

}  // namespace apollo
