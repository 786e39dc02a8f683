#include "worker/path_counters.h"

#include <gtest/gtest.h>

#include "serving/counters_testing.h"

namespace apollo {
namespace {

TEST(PathCountersTest, EveryCounterHasOneMetric) {
  ExpectWholeTable(kPathMetrics);
}

TEST(PathCountersTest, OpenPathsAndFaultsAreCountedByDirection) {
  PathCounting counting;
  const PathCounters& counters = counting.counters();
  for (int i = 0; i < 3; ++i) counting.Changed(true, PathChange::kOpened);
  counting.Changed(false, PathChange::kOpened);
  EXPECT_EQ(counters.open_out, 3);
  EXPECT_EQ(counters.open_in, 1);
  counting.Changed(true, PathChange::kFailed);
  EXPECT_EQ(counters.open_out, 2);
  EXPECT_EQ(counters.faults_out, 1);
  counting.Changed(true, PathChange::kNotOpened);
  EXPECT_EQ(counters.open_out, 2);
  EXPECT_EQ(counters.faults_out, 2);
  counting.Changed(true, PathChange::kClosed);
  counting.Changed(false, PathChange::kClosed);
  EXPECT_EQ(counters.open_out, 1);
  EXPECT_EQ(counters.open_in, 0);
  EXPECT_EQ(counters.faults_out, 2);
  EXPECT_EQ(counters.faults_in, 0);
}

TEST(PathCountersTest, BytesAreCountedByPath) {
  PathCounting counting;
  counting.Sent(RowsPath::kNccl, 5);
  counting.Sent(RowsPath::kCopy, 7);
  counting.Sent(RowsPath::kNccl, 1);
  EXPECT_EQ(counting.counters().nccl_bytes, 6);
  EXPECT_EQ(counting.counters().copied_bytes, 7);
}

}  // namespace
}  // namespace apollo
