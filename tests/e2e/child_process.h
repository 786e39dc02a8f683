#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace apollo {

// A program started by a test. It is killed when this object is destroyed or
// the test process dies, if it is still running. Single-threaded.
class ChildProcess {
 public:
  // Descriptors for the program's standard input and output; -1: those of the
  // test. The caller keeps ownership. They should be close-on-exec.
  struct Streams {
    int in = -1;
    int out = -1;
  };

  // argv[0] is the path of the program. Its standard error goes to `log_file`.
  ChildProcess(const std::vector<std::string>& argv,
               const std::string& log_file, Streams streams = {-1, -1});
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  bool Running();

  // The process id; -1 once Running() or Wait() has seen the end.
  pid_t pid() const { return pid_; }

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
