#include "tests/faults/cluster/layout.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(LayoutTest, NamesProcessesInTheOrderOfTheirDependencies) {
  const Layout layout = {.model = "m",
                         .routers = 2,
                         .dense_workers = 1,
                         .experts = {"--experts=0"}};
  EXPECT_EQ(NamesOf(layout),
            (std::vector<std::string>{"expert-worker-0", "dense-worker-0",
                                      "router", "router-1"}));
  for (const std::string& name : NamesOf(layout, ProcessKind::kRouter)) {
    EXPECT_EQ(KindOf(name), ProcessKind::kRouter);
  }
}

TEST(LayoutTest, KnowsWhoDialsWhom) {
  EXPECT_TRUE(Dials("router-1", "dense-worker-0"));
  EXPECT_TRUE(Dials("dense-worker-0", "expert-worker-1"));
  EXPECT_TRUE(Dials("expert-worker-0", "expert-worker-1"));
  EXPECT_FALSE(Dials("expert-worker-0", "expert-worker-0"));
  EXPECT_FALSE(Dials("dense-worker-0", "router"));
  EXPECT_FALSE(Dials("router", "expert-worker-0"));
}

TEST(LayoutTest, SpreadsExpertsOverHolders) {
  EXPECT_EQ(SpreadExperts(3, 2, 1),
            (std::vector<std::string>{"--experts=0,2", "--experts=1"}));
  EXPECT_EQ(SpreadExperts(4, 3, 2),
            (std::vector<std::string>{"--experts=0,2,3", "--experts=0,1,3",
                                      "--experts=1,2"}));
  EXPECT_EQ(SpreadExperts(2, 2, 2),
            (std::vector<std::string>{"--experts=0,1", "--experts=0,1"}));
}

}  // namespace
}  // namespace apollo
