#include "serving/memory_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <string>

namespace apollo {
namespace {

std::string ContentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

struct stat StatOf(const std::string& path) {
  struct stat result = {};
  EXPECT_EQ(stat(path.c_str(), &result), 0);
  return result;
}

TEST(MemoryFileTest, ThePathHasTheLatestContent) {
  auto file = MemoryFile::Make("first");
  ASSERT_TRUE(file.ok()) << file.status();
  const std::string path = file->path();
  EXPECT_EQ(ContentOf(path), "first");
  ASSERT_TRUE(file->Replace("and the second").ok());
  EXPECT_EQ(file->path(), path);
  EXPECT_EQ(ContentOf(path), "and the second");
}

TEST(MemoryFileTest, AReaderThatHasOpenedItKeepsItsState) {
  auto file = MemoryFile::Make("first");
  ASSERT_TRUE(file.ok()) << file.status();
  std::ifstream open(file->path());
  ASSERT_TRUE(file->Replace("second").ok());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(open), {}), "first");
}

TEST(MemoryFileTest, EachStateHasItsOwnTime) {
  auto file = MemoryFile::Make("first");
  ASSERT_TRUE(file.ok()) << file.status();
  const auto first = StatOf(file->path()).st_mtime;
  ASSERT_TRUE(file->Replace("other").ok());
  EXPECT_NE(StatOf(file->path()).st_mtime, first);
}

TEST(MemoryFileTest, OnlyItsOwnerMayReadIt) {
  const auto file = MemoryFile::Make("secret");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(StatOf(file->path()).st_mode & 0777, 0400U);
}

}  // namespace
}  // namespace apollo
