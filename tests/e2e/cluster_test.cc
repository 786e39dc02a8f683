#include "tests/e2e/cluster.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

namespace apollo {
namespace {

// kill(0, SIGSTOP) would stop the test itself.
TEST(ClusterTest, ASignalToAnUnknownProcessOnlyFailsTheTest) {
  Cluster cluster("/nonexistent", {});
  EXPECT_NONFATAL_FAILURE(cluster.FreezeExpert(5),
                          "no process expert-worker-5");
  EXPECT_NONFATAL_FAILURE(cluster.ThawExpert(5), "no process expert-worker-5");
}

}  // namespace
}  // namespace apollo
