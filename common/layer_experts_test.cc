#include "common/layer_experts.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(LayerExpertsTest, ANormalFormHoldsEachExpertOnce) {
  const std::set<LayerExpert> each = {{4, 1}, {5, 1}, {6, 1}, {5, 0}, {6, 3}};
  const LayerExperts experts = LayerExperts::Of(each, 4, 7);
  EXPECT_EQ(experts.everywhere, std::set<int>{1});
  EXPECT_EQ(experts.in_layer,
            (std::map<int, std::set<int>>{{5, {0}}, {6, {3}}}));
  EXPECT_EQ(experts.Each(4, 7), each);
  EXPECT_EQ(experts.In(5), (std::set<int>{0, 1}));
  EXPECT_EQ(experts.In(4), std::set<int>{1});
  EXPECT_TRUE(experts.Has(6, 3));
  EXPECT_FALSE(experts.Has({5, 3}));
  EXPECT_EQ(experts.Highest(), 3);
}

TEST(LayerExpertsTest, ADenseModelHasNone) {
  EXPECT_EQ(LayerExperts::Of({}, 3, 3), LayerExperts());
  EXPECT_TRUE(LayerExperts().Each(2, 4).empty());
  EXPECT_EQ(LayerExperts().Highest(), -1);
}

}  // namespace
}  // namespace apollo
