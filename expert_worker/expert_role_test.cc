#include "expert_worker/expert_role.h"

#include <gtest/gtest.h>

#include <set>

#include "worker/describe_worker.h"
#include "worker/golden_setup.h"

namespace apollo {
namespace {

TEST(ExpertRoleTest, DescribesItselfAndItsExperts) {
  const auto setup = OpenGoldenSetup();
  ASSERT_TRUE(setup.ok()) << setup.status();
  ExpertRole::Options options;
  options.name = "e";
  options.placement.experts = "0,2";
  const auto role = ExpertRole::Start(**setup, options, /*requests=*/nullptr);
  ASSERT_TRUE(role.ok()) << role.status();
  WorkerInfo self = (*role)->self();
  EXPECT_EQ(self.resident.everywhere, (std::set<int>{0, 2}));
  EXPECT_GT(self.cache_tokens, 0);
  self.resident = {};
  self.cache_tokens = 0;
  EXPECT_EQ(self, DescribeWorker(**setup, WorkerRole::kExpert, "e",
                                 "cpu/auto/float32/1"));
}

}  // namespace
}  // namespace apollo
