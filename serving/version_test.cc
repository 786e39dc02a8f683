#include "serving/version.h"

#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

TEST(VersionTest, NamesVersionCommitAndBuild) {
  const std::string text = VersionText();
  EXPECT_EQ(text.rfind(std::string(kVersion) + " (commit ", 0), 0u) << text;
#ifdef NDEBUG
  EXPECT_NE(text.find(", optimized build)"), std::string::npos) << text;
#else
  EXPECT_NE(text.find(", build with assertions)"), std::string::npos) << text;
#endif
  // Tests are built without a stamp.
  EXPECT_NE(text.find("(commit unknown,"), std::string::npos) << text;
}

}  // namespace
}  // namespace apollo
