#include "model/prompt/trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <string>
#include <vector>

namespace apollo {
namespace {

using testing::HasSubstr;

TEST(TrialTest, ReturnsTheStatusOfTheWork) {
  EXPECT_TRUE(TryInChild([] { return absl::OkStatus(); }).ok());
  const absl::Status failure = absl::UnimplementedError(
      std::string(100000, 'a'));  // More than a pipe holds.
  EXPECT_EQ(TryInChild([&] { return failure; }), failure);
}

TEST(TrialTest, ChangesNothingHere) {
  int changed = 0;
  EXPECT_TRUE(TryInChild([&] {
                changed = 1;
                return absl::OkStatus();
              }).ok());
  EXPECT_EQ(changed, 0);
}

TEST(TrialTest, EndsWorkThatDoesNotEnd) {
  TrialLimits limits;
  limits.time = absl::Seconds(1);
  const absl::Status status = TryInChild(
      []() -> absl::Status {
        volatile bool run = true;
        while (run) {
        }
        return absl::OkStatus();
      },
      limits);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("more than 1s or 1024 MiB"));
}

TEST(TrialTest, EndsWorkThatTakesAllMemory) {
  TrialLimits limits;
  limits.memory_bytes = std::size_t{64} << 20;
  const absl::Status status = TryInChild(
      []() -> absl::Status {
        std::vector<std::string> texts;
        while (true) texts.emplace_back(std::size_t{1} << 20, 'a');
      },
      limits);
  // Sanitizers end the process by themselves.
  EXPECT_THAT(status.message(),
              testing::AnyOf(HasSubstr("64 MiB"), HasSubstr("code 1")));
}

TEST(TrialTest, ReportsCrashes) {
  const absl::Status status = TryInChild([]() -> absl::Status {
    raise(SIGFPE);
    return absl::OkStatus();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("crashes with signal 8"));
  EXPECT_THAT(TryInChild([]() -> absl::Status { _exit(3); }).message(),
              HasSubstr("code 3"));
}

}  // namespace
}  // namespace apollo
