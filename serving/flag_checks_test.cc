#include "serving/flag_checks.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(FlagChecksTest, BoundsNameTheFlagAndItsValue) {
  EXPECT_TRUE(CheckAtLeastOne("rows", 1).ok());
  EXPECT_EQ(CheckAtLeastOne("rows", 0).message(),
            "--rows is 0; it must be at least 1");
  EXPECT_TRUE(CheckFromTo("rows", 1, 1, 8).ok());
  EXPECT_TRUE(CheckFromTo("rows", 8, 1, 8).ok());
  for (const int rows : {0, 9}) {
    EXPECT_EQ(CheckFromTo("rows", rows, 1, 8).message(),
              absl::StrCat("--rows is ", rows, "; it must be from 1 to 8"));
  }
  EXPECT_TRUE(CheckAboveZero("wait", absl::Milliseconds(1)).ok());
  EXPECT_EQ(CheckAboveZero("wait", absl::Seconds(-2)).message(),
            "--wait is -2s; it must be more than 0, for example 10s");
  EXPECT_TRUE(CheckNotNegative("wait", absl::ZeroDuration()).ok());
  EXPECT_EQ(CheckNotNegative("wait", absl::Seconds(-2)).message(),
            "--wait is -2s; it must be at least 0, for example 10s");
}

TEST(FlagChecksTest, AnAddressToListenOnHasAPort) {
  for (const char* right :
       {"127.0.0.1:0", "localhost:65535", "[::1]:50051", ":80"}) {
    EXPECT_TRUE(CheckListenAddress("listen", right).ok()) << right;
  }
  for (const char* wrong :
       {"", "9090", "localhost", "localhost:", "localhost:http",
        "localhost:65536", "h:-1", "999.1.1.1:9090", "10.1:9090"}) {
    EXPECT_EQ(CheckListenAddress("listen", wrong).message(),
              absl::StrCat("--listen is \"", wrong,
                           "\"; it must be host:port with a port from 0 (any) "
                           "to 65535"));
    EXPECT_FALSE(CheckSocketOrListenAddress("listen", wrong).ok()) << wrong;
  }
}

TEST(FlagChecksTest, ASocketHasAPath) {
  EXPECT_TRUE(CheckSocketOrListenAddress("listen", "127.0.0.1:0").ok());
  EXPECT_TRUE(CheckSocketOrListenAddress("listen", "unix:/run/a:1.sock").ok());
  for (const std::string& wrong :
       {std::string("unix:"), std::string("unix:relative:1"),
        "unix:/" + std::string(107, 'x')}) {
    EXPECT_EQ(CheckSocketOrListenAddress("listen", wrong).message(),
              absl::StrCat("--listen is \"", wrong,
                           "\"; a Unix socket must be unix:/path, with a path "
                           "of at most 107 bytes"));
  }
}

}  // namespace
}  // namespace apollo
