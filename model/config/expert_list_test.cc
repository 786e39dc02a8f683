#include "model/config/expert_list.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(ExpertListTest, ExpertsAreAllOrAList) {
  EXPECT_EQ(*ParseExperts("all", 3), (std::set<int>{0, 1, 2}));
  EXPECT_EQ(*ParseExperts("2,0", 3), (std::set<int>{0, 2}));
  for (const char* wrong :
       {"", ",", "3", "-1", "0,x", "1,", "0 1", "99999999999"}) {
    EXPECT_EQ(ParseExperts(wrong, 3).status().code(),
              absl::StatusCode::kInvalidArgument)
        << wrong;
  }
}

TEST(ExpertListTest, ADenseModelHasOnlyAll) {
  EXPECT_EQ(*ParseExperts("all", 0), std::set<int>{});
  for (const char* wrong : {"", "0", "0,1"}) {
    EXPECT_EQ(ParseExperts(wrong, 0).status().message(),
              std::string("--experts is \"") + wrong +
                  "\"; it must be \"all\", because the model has none");
  }
}

}  // namespace
}  // namespace apollo
