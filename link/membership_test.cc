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
  for (const char* bad :
       {"host", "host:", ":80", "host:0", "host:65536", "host:x", "file:"}) {
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

int CountOf(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos;
       ++at) {
    ++count;
  }
  return count;
}

TEST(MembershipTest, AWrongFileIsLoggedOncePerChange) {
  const std::string path = testing::TempDir() + "/wrong_members";
  std::ofstream(path) << "a:1\n";
  auto membership = Membership::Parse("file:" + path);
  ASSERT_TRUE(membership.ok());
  testing::internal::CaptureStderr();
  const auto read = [&](const std::string& text) {
    std::ofstream(path) << text;
    for (int i = 0; i < 3; ++i) membership->Current();
  };
  read("a:1\n");
  read("b:2\nno-port\n");
  read("other-mistake\n");
  read("");  // Just being written.
  EXPECT_EQ(membership->Current(), Addresses{"a:1"});
  read("c:3\n");
  read("other-mistake\n");
  std::remove(path.c_str());
  for (int i = 0; i < 3; ++i) membership->Current();
  EXPECT_EQ(membership->Current(), Addresses{"c:3"});
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(CountOf(log, "workers_file_wrong"), 4) << log;
  EXPECT_EQ(CountOf(log, "workers_file_right_again"), 1) << log;
  EXPECT_EQ(CountOf(log, "no-port"), 1) << log;
  EXPECT_EQ(CountOf(log, "other-mistake"), 2) << log;
  EXPECT_GE(CountOf(log, path), 5) << log;
}

TEST(MembershipTest, AnEmptyListNamesNobodyAFileMay) {
  EXPECT_TRUE(Membership::Parse("")->NamesNobody());
  EXPECT_TRUE(Membership::Parse(" , ,")->NamesNobody());
  EXPECT_FALSE(Membership::Parse("a:1")->NamesNobody());
  EXPECT_FALSE(Membership::Parse("file:/nowhere")->NamesNobody());
}

}  // namespace
}  // namespace apollo
