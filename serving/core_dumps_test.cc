#include "serving/core_dumps.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace apollo {
namespace {

// Runs `check` in a child process, so that the limits stay there. Returns how
// it ended, as waitpid tells it.
int InAChild(void (*check)()) {
  const pid_t child = fork();
  if (child == 0) {
    check();
    _exit(0);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST(CoreDumpsTest, NothingIsDumped) {
  const int status = InAChild([] {
    if (!ForbidCoreDumps()) _exit(1);
    rlimit limit = {2, 2};
    if (getrlimit(RLIMIT_CORE, &limit) != 0) _exit(2);
    if (limit.rlim_cur > 1 || limit.rlim_max > 1) _exit(3);
    std::string filter;
    std::ifstream("/proc/self/coredump_filter") >> filter;
    if (filter != "00000000") _exit(4);
  });
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(CoreDumpsTest, TheKernelDumpsNoCrashedProcess) {
  const int status = InAChild([] {
    if (!ForbidCoreDumps()) _exit(1);
    abort();
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGABRT);
  EXPECT_FALSE(WCOREDUMP(status));
}

TEST(CoreDumpsTest, GrpcTracesNothing) {
  const int status = InAChild([] {
    setenv("GRPC_TRACE", "tcp", 1);
    if (!ForbidGrpcTraces()) _exit(1);
    if (getenv("GRPC_TRACE") != nullptr) _exit(2);
    if (ForbidGrpcTraces()) _exit(3);
  });
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace apollo
