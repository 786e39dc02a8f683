#include "router/pool_counters.h"

#include <gtest/gtest.h>

#include "serving/counters_testing.h"

namespace apollo {
namespace {

TEST(PoolCountersTest, EachCounterIsPublishedOnce) {
  ExpectWholeTable(kPoolMetrics);
}

}  // namespace
}  // namespace apollo
