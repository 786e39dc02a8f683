#include "common/log.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "common/json.h"

namespace apollo {
namespace {

// Returns the lines that `action` logs.
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

TEST(LogTest, OneJsonObjectALine) {
  SetLogProcess("router");
  const std::vector<Json> lines = Lines([] {
    LogInfo("started", {{"port", 50051},
                        {"name", "a\"b\nc"},
                        {"big", std::int64_t{1} << 40},
                        {"ratio", 0.5},
                        {"ready", true}});
    LogWarning("slow");
    LogError("broken", {{"count", std::uint64_t{7}}});
  });
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["level"], "info");
  EXPECT_EQ(lines[0]["process"], "router");
  EXPECT_EQ(lines[0]["event"], "started");
  EXPECT_EQ(lines[0]["port"], 50051);
  EXPECT_EQ(lines[0]["name"], "a\"b\nc");
  EXPECT_EQ(lines[0]["big"], std::int64_t{1} << 40);
  EXPECT_EQ(lines[0]["ratio"], 0.5);
  EXPECT_EQ(lines[0]["ready"], true);
  EXPECT_EQ(lines[1]["level"], "warning");
  EXPECT_EQ(lines[1]["event"], "slow");
  EXPECT_EQ(lines[2]["level"], "error");
  EXPECT_EQ(lines[2]["count"], 7);
  // 2026-01-31T12:00:00.123Z
  const std::string time = lines[0]["time"].get<std::string>();
  EXPECT_EQ(time.size(), 24u) << time;
  EXPECT_EQ(time.substr(10, 1) + time.substr(19, 1) + time.back(), "T.Z")
      << time;
}

TEST(LogTest, NothingBreaksTheJson) {
  const std::vector<Json> lines = Lines([] {
    LogInfo("odd", {{"bytes", std::string("\xff{}%s\0", 6)},
                    {"nan", std::nan("")},
                    {"text", "\u20ac"}});
  });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(lines[0]["nan"].is_null());
  EXPECT_EQ(lines[0]["text"], "\u20ac");
}

TEST(LogTest, LinesOfThreadsDoNotMix) {
  const std::vector<Json> lines = Lines([] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 50; ++i) LogInfo("line", {{"i", i}});
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  ASSERT_EQ(lines.size(), 200u);
  for (const Json& line : lines) EXPECT_EQ(line["event"], "line");
}

}  // namespace
}  // namespace apollo
