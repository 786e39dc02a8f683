#include "router/session/failure_log.h"

#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "common/fake_clock.h"
#include "common/json.h"

namespace apollo {
namespace {

class FailureLogTest : public testing::Test {
 protected:
  // Returns the lines that `action` writes.
  template <typename Action>
  std::vector<Json> Lines(Action action) {
    testing::internal::CaptureStderr();
    action();
    std::istringstream text(testing::internal::GetCapturedStderr());
    std::vector<Json> lines;
    for (std::string line; std::getline(text, line);) {
      const auto json = ParseJson(line, "log");
      EXPECT_TRUE(json.ok()) << line;
      lines.push_back(json.value_or(Json::object()));
    }
    return lines;
  }

  void Refuse(const std::string& id) {
    log_->Report("Generate", id, absl::ResourceExhaustedError("full"));
  }

  FakeClock clock_;
  std::unique_ptr<FailureLog> log_ = std::make_unique<FailureLog>(clock_);
};

TEST_F(FailureLogTest, TheFirstFailureIsWrittenAtOnce) {
  const auto lines = Lines([&] { Refuse("a"); });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["event"], "request_failed");
  EXPECT_EQ(lines[0]["level"], "warning");
  EXPECT_EQ(lines[0]["method"], "Generate");
  EXPECT_EQ(lines[0]["request_id"], "a");
  EXPECT_EQ(lines[0]["code"], "RESOURCE_EXHAUSTED");
  EXPECT_EQ(lines[0]["reason"], "full");
  EXPECT_EQ(lines[0]["requests"], 1);
}

TEST_F(FailureLogTest, EachFailureHasALine) {
  const auto lines = Lines([&] {
    Refuse("a");
    Refuse("b");
  });
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1]["request_id"], "b");
  EXPECT_EQ(lines[1]["requests"], 1);
}

TEST_F(FailureLogTest, TheDoingsOfAClientAreNoWarnings) {
  const auto lines = Lines([&] {
    log_->Report("Generate", "a", absl::CancelledError("the client left"));
    log_->Report("Score", "b", absl::InvalidArgumentError("wrong"));
    log_->Report("Score", "c", absl::DeadlineExceededError("late"));
  });
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["event"], "request_cancelled");
  EXPECT_EQ(lines[0]["level"], "info");
  EXPECT_EQ(lines[0]["code"], "CANCELLED");
  EXPECT_EQ(lines[0]["reason"], "the client left");
  EXPECT_EQ(lines[1]["event"], "request_failed");
  EXPECT_EQ(lines[1]["level"], "info");
  EXPECT_EQ(lines[2]["code"], "DEADLINE_EXCEEDED");
  EXPECT_EQ(lines[2]["level"], "warning");
}

TEST_F(FailureLogTest, AFloodIsCountedInTheNextLine) {
  const auto flood = Lines([&] {
    for (int i = 0; i < 1000; ++i) Refuse("a");
  });
  EXPECT_EQ(flood.size(), static_cast<std::size_t>(FailureLog::kLines));
  clock_.now += absl::Seconds(1);
  const auto next = Lines([&] { Refuse("b"); });
  ASSERT_EQ(next.size(), 1u);
  // The pending ones and this one.
  EXPECT_EQ(next[0]["requests"], 1000 - FailureLog::kLines + 1);
  EXPECT_EQ(next[0]["request_id"], "b");
}

TEST_F(FailureLogTest, CodesDoNotWaitForEachOther) {
  const auto lines = Lines([&] {
    Refuse("a");
    log_->Report("Score", "b", absl::InternalError("broken"));
  });
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1]["code"], "INTERNAL");
}

TEST_F(FailureLogTest, TheEndOfABurstIsWrittenWhenItIsDue) {
  Lines([&] {
    for (int i = 0; i < FailureLog::kLines + 2; ++i) Refuse("a");
  });
  EXPECT_TRUE(Lines([&] { log_->WriteDue(); }).empty());
  clock_.now += absl::Seconds(1);
  const auto lines = Lines([&] { log_->WriteDue(); });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["requests"], 2);
  clock_.now += absl::Seconds(1);
  EXPECT_TRUE(Lines([&] { log_->WriteDue(); }).empty());
}

TEST_F(FailureLogTest, NothingIsLostAtTheEnd) {
  Lines([&] {
    for (int i = 0; i < FailureLog::kLines + 2; ++i) Refuse("a");
  });
  const auto lines = Lines([&] { log_.reset(); });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["requests"], 2);
}

}  // namespace
}  // namespace apollo
