#include "common/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

namespace apollo {
namespace {

using ::testing::HasSubstr;

std::string Text(const MappedFile& file) {
  return {file.bytes().begin(), file.bytes().end()};
}

std::string Write(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + "/mapped_file_" + name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

TEST(MappedFileTest, HoldsTheBytes) {
  const std::string path = Write("bytes", std::string("a\0\xff", 3));
  const auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(Text(*file), std::string("a\0\xff", 3));
  EXPECT_EQ(file->path(), path);
}

TEST(MappedFileTest, AnEmptyFileIsAnEmptySpan) {
  const auto file = MappedFile::Open(Write("empty", ""));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(file->bytes().empty());
}

TEST(MappedFileTest, BytesStayWhereTheyAreWhenItMoves) {
  auto first = MappedFile::Open(Write("first", "first"));
  auto second = MappedFile::Open(Write("second", "second"));
  ASSERT_TRUE(first.ok() && second.ok());
  const std::uint8_t* const data = second->bytes().data();
  MappedFile moved = *std::move(first);
  EXPECT_EQ(Text(moved), "first");
  moved = *std::move(second);
  EXPECT_EQ(moved.bytes().data(), data);
  EXPECT_EQ(Text(moved), "second");
}

TEST(MappedFileTest, KnowsItsFileFromAnotherAtThePath) {
  const std::string path = Write("identity", "before");
  auto opened = MappedFile::Open(path);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const MappedFile file = *std::move(opened);
  ASSERT_TRUE(IdentityOf(path).ok());
  EXPECT_EQ(*IdentityOf(path), file.identity());
  EXPECT_EQ(file.identity().size, 6u);
  // Another file of the same size; the inode of the first one is still in use.
  const std::string other = Write("identity_other", "behind");
  ASSERT_EQ(std::rename(other.c_str(), path.c_str()), 0);
  EXPECT_NE(IdentityOf(path)->inode, file.identity().inode);
  const FileIdentity now = *IdentityOf(path);
  std::ofstream(path, std::ios::app) << "!";
  EXPECT_NE(*IdentityOf(path), now);
  const absl::Status absent = IdentityOf(path + ".absent").status();
  EXPECT_EQ(absent.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(absent.message()), HasSubstr(path + ".absent"));
}

TEST(MappedFileTest, DoesNotWaitForAPipe) {
  const std::string path = testing::TempDir() + "/mapped_file_pipe";
  std::remove(path.c_str());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(MappedFile::Open(path).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(MappedFileTest, ErrorsNameThePath) {
  const std::string missing = testing::TempDir() + "/mapped_file_missing";
  const absl::Status not_found = MappedFile::Open(missing).status();
  EXPECT_EQ(not_found.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(not_found.message()), HasSubstr(missing));
  const absl::Status folder = MappedFile::Open(testing::TempDir()).status();
  EXPECT_EQ(folder.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(folder.message()),
              HasSubstr("is not a regular file"));
}

TEST(ReadFileTest, TakesAtMostWhatIsAllowed) {
  const std::string path = Write("read", "12345");
  EXPECT_EQ(ReadFile(path, 5).value_or(""), "12345");
  const absl::Status status = ReadFile(path, 4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(path + " has more than 4 bytes"));
  EXPECT_THAT(std::string(ReadFile(testing::TempDir(), 5).status().message()),
              HasSubstr("is not a regular file"));
  EXPECT_EQ(ReadFile(path + "x", 5).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace apollo
