#include "common/nearest_word.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(NearestWordTest, FindsWhatWasMeant) {
  const std::vector<std::string> known = {"listen", "model", "metrics_listen"};
  EXPECT_EQ(NearestWord("listne", known), "listen");
  EXPECT_EQ(NearestWord("modle", known), "model");
  EXPECT_EQ(NearestWord("metric_lisen", known), "metrics_listen");
  EXPECT_EQ(NearestWord("model", known), "model");
}

TEST(NearestWordTest, FindsNothingIfNothingIsNear) {
  EXPECT_EQ(NearestWord("weights", {"listen", "model"}), "");
  EXPECT_EQ(NearestWord("model", {}), "");
  EXPECT_EQ(NearestWord("", {"a", "b"}), "");
  // As many changes as characters.
  EXPECT_EQ(NearestWord("xy", {"ab"}), "");
  EXPECT_EQ(NearestWord(std::string(101, 'a'), {std::string(101, 'a')}), "");
}

TEST(NearestWordTest, PrefersTheFirst) {
  EXPECT_EQ(NearestWord("top_x", {"top_k", "top_p"}), "top_k");
}

}  // namespace
}  // namespace apollo
