#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace apollo {

// A program started by a test. It is killed, at the latest, when this object
// goes away or when the test process dies. One thread.
class ChildProcess {
 public:
  // Descriptors that become the program's standard input and output; -1: those
  // of the test. They stay the caller's, and should be close-on-exec.
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
