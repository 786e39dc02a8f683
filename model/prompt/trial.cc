#include "model/prompt/trial.h"

#include <absl/strings/str_cat.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <new>
#include <string>

namespace apollo {
namespace {

// The child may wait for a processor much longer than it computes.
constexpr int kWaitFactor = 6;

absl::Status SystemError(const char* what) {
  return absl::InternalError(absl::StrCat(what, ": ", std::strerror(errno)));
}

// Returns the size of this process's address space, or 0 if the system does not
// say: /proc may not be mounted.
std::size_t AddressSpace() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void SetLimit(__rlimit_resource resource, rlim_t soft, rlim_t hard) {
  const rlimit limit = {soft, hard};
  setrlimit(resource, &limit);
}

// Runs in the child. Sends the code of the status as one byte, then its
// message.
[[noreturn]] void RunChild(const std::function<absl::Status()>& work,
                           const TrialLimits& limits, int pipe) {
  // The reports of sanitizers would hide the signals.
  for (const int signal : {SIGSEGV, SIGFPE, SIGBUS, SIGABRT}) {
    std::signal(signal, SIG_DFL);
  }
  const auto seconds = std::max<rlim_t>(
      1, static_cast<rlim_t>(absl::ToInt64Seconds(limits.time)));
  SetLimit(RLIMIT_CORE, 0, 0);
  SetLimit(RLIMIT_CPU, seconds, seconds + 1);
  if (const std::size_t in_use = AddressSpace(); in_use > 0) {
    const rlim_t space = in_use + limits.memory_bytes;
    SetLimit(RLIMIT_AS, space, space);
  }
  std::string report;
  try {
    const absl::Status status = work();
    report = absl::StrCat(std::string(1, static_cast<char>(status.code())),
                          status.message());
  } catch (const std::bad_alloc&) {
    _exit(ENOMEM);
  }
  std::size_t sent = 0;
  while (sent < report.size()) {
    const ssize_t n = write(pipe, report.data() + sent, report.size() - sent);
    if (n <= 0) break;
    sent += static_cast<std::size_t>(n);
  }
  _exit(0);
}

// Reads until the child closes the pipe. Returns false if that takes too long.
bool ReadReport(int pipe, absl::Duration wait, std::string* report) {
  const absl::Time deadline = absl::Now() + wait;
  char buffer[4096];
  while (true) {
    const absl::Duration left = deadline - absl::Now();
    pollfd ready = {pipe, POLLIN, 0};
    const int n =
        poll(&ready, 1, static_cast<int>(absl::ToInt64Milliseconds(left)));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || left <= absl::ZeroDuration()) return false;
    const ssize_t size = read(pipe, buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return true;
    report->append(buffer, static_cast<std::size_t>(size));
  }
}

absl::Status TooMuch(const TrialLimits& limits) {
  return absl::InvalidArgumentError(
      absl::StrCat("it needs more than ", absl::FormatDuration(limits.time),
                   " or ", limits.memory_bytes >> 20, " MiB"));
}

}  // namespace

absl::Status TryInChild(const std::function<absl::Status()>& work,
                        const TrialLimits& limits) {
  int ends[2];
  if (pipe(ends) != 0) return SystemError("pipe");
  const pid_t child = fork();
  if (child < 0) {
    close(ends[0]);
    close(ends[1]);
    return SystemError("fork");
  }
  if (child == 0) {
    close(ends[0]);
    RunChild(work, limits, ends[1]);
  }
  close(ends[1]);
  std::string report;
  const bool ended = ReadReport(ends[0], kWaitFactor * limits.time, &report);
  if (!ended) kill(child, SIGKILL);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (!ended || signal == SIGXCPU || signal == SIGKILL) return TooMuch(limits);
  if (signal != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "it crashes with signal ", signal, " (", strsignal(signal), ")"));
  }
  if (WEXITSTATUS(status) == ENOMEM) return TooMuch(limits);
  if (WEXITSTATUS(status) != 0 || report.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("it ends its process with code ", WEXITSTATUS(status)));
  }
  return absl::Status(static_cast<absl::StatusCode>(report[0]),
                      report.substr(1));
}

}  // namespace apollo
