#include "tests/e2e/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

namespace apollo {
namespace {

int ExitCode(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& argv,
                           const std::string& log_file) {
  // Created before fork, because the child must not allocate.
  std::vector<char*> args;
  for (const std::string& arg : argv)
    args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  const int log =
      open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);  // The parent has died meanwhile.
    dup2(log, STDERR_FILENO);
    execv(args[0], args.data());
    _exit(127);
  }
  if (log >= 0) close(log);
}

ChildProcess::~ChildProcess() {
  Signal(SIGKILL);
  Wait();
}

std::int64_t ChildProcess::ResidentBytes() {
  if (!Running()) return 0;
  std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
  std::int64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

bool ChildProcess::Running() {
  if (pid_ <= 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) {
    status_ = ExitCode(status);
    pid_ = -1;
  }
  return pid_ > 0;
}

void ChildProcess::Signal(int signal_number) {
  if (pid_ > 0) kill(pid_, signal_number);
}

int ChildProcess::Wait() {
  if (pid_ > 0) {
    int status = 0;
    waitpid(pid_, &status, 0);
    status_ = ExitCode(status);
    pid_ = -1;
  }
  return status_;
}

int ChildProcess::Stop() {
  Signal(SIGTERM);
  return Wait();
}

}  // namespace apollo
