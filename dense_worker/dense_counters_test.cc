#include "dense_worker/dense_counters.h"

#include <gtest/gtest.h>

#include "serving/counters_testing.h"

namespace apollo {
namespace {

TEST(DenseCountersTest, EachCounterIsPublishedOnce) {
  ExpectWholeTable(kDenseMetrics);
}

}  // namespace
}  // namespace apollo
