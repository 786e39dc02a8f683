#include "tests/faults/trial/moved_events.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(MovedEventsTest, ReadsTheTimesOfMovedSequencesOnly) {
  const auto times = MovedTimes(
      "not JSON \"sequence_moved\"\n"
      R"({"event":"started","start_seconds":9})"
      "\n"
      R"({"event":"sequence_moved","detection_seconds":0.5,"rows":128})"
      "\n"
      R"({"event":"sequence_moved","detection_seconds":1,"replay_ms":20})"
      "\n");
  ASSERT_EQ(times.size(), 2u);
  EXPECT_EQ(times.at("detection_seconds").count(), 2);
  EXPECT_EQ(times.at("detection_seconds").longest(), absl::Seconds(1));
  EXPECT_EQ(times.at("replay_ms").longest(), absl::Milliseconds(20));
}

}  // namespace
}  // namespace apollo
