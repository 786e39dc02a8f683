#include "dense_worker/dense_role.h"

#include <gtest/gtest.h>

#include "worker/describe_worker.h"
#include "worker/golden_setup.h"

namespace apollo {
namespace {

TEST(DenseRoleTest, DescribesItself) {
  const auto setup = OpenGoldenSetup();
  ASSERT_TRUE(setup.ok()) << setup.status();
  DenseCore::Options core;
  core.name = "d";
  const auto role = DenseRole::Start(**setup, core);
  ASSERT_TRUE(role.ok()) << role.status();
  EXPECT_EQ((*role)->self(), DescribeWorker(**setup, WorkerRole::kDense, "d",
                                            "cpu/auto/float32/1"));
}

}  // namespace
}  // namespace apollo
