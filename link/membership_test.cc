#include "link/membership.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace apollo {
namespace {

using Addresses = std::vector<std::string>;

TEST(MembershipTest, ListsKeepTheirOrderWithoutRepeats) {
  auto membership = Membership::Parse(" b:2, a:1,,b:2,[::1]:65535");
  ASSERT_TRUE(membership.ok()) << membership.status();
  EXPECT_EQ(membership->Current(), (Addresses{"b:2", "a:1", "[::1]:65535"}));
  EXPECT_EQ(Membership::Parse("")->Current(), Addresses{});
}

TEST(MembershipTest, WhatIsNoAddressIsNamed) {
  for (const char* bad : {"host", "host:", ":80", "host:0", "host:65536",
                          "host:x", "file:"}) {
    const auto membership = Membership::Parse(bad);
    ASSERT_FALSE(membership.ok()) << bad;
    EXPECT_EQ(membership.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(membership.status().message()).find(bad),
              std::string::npos);
  }
}

TEST(MembershipTest, AFileIsReadAgainEachTime) {
  const std::string path = testing::TempDir() + "/members";
  std::remove(path.c_str());
  auto membership = Membership::Parse("file:" + path);
  ASSERT_TRUE(membership.ok());
  EXPECT_EQ(membership->Current(), Addresses{});
  std::ofstream(path) << "# workers\n\na:1\r\n  b:2  \n";
  EXPECT_EQ(membership->Current(), (Addresses{"a:1", "b:2"}));
  std::ofstream(path) << "c:3\nhalf-written";
  EXPECT_EQ(membership->Current(), (Addresses{"a:1", "b:2"}));
  std::ofstream(path) << "";
  EXPECT_EQ(membership->Current(), (Addresses{"a:1", "b:2"}));
  std::ofstream(path) << "c:3\n";
  EXPECT_EQ(membership->Current(), Addresses{"c:3"});
  std::remove(path.c_str());
  EXPECT_EQ(membership->Current(), Addresses{"c:3"});
}

}  // namespace
}  // namespace apollo
