#include "router/audit/audit_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

namespace apollo {
namespace {

using testing::HasSubstr;

class AuditFileTest : public testing::Test {
 protected:
  AuditFileTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    options_.path = folder_ + "/audit";
    options_.max_megabytes = 1;
    options_.files = 3;
  }

  std::unique_ptr<AuditFile> Open() {
    auto file = AuditFile::Open(options_);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string Content() const { return Read(options_.path); }
  void Put(const std::string& content) const {
    std::ofstream(options_.path, std::ios::binary) << content;
  }
  // Returns a line of a bit less than a quarter of the file's maximum.
  static std::string Quarter(char letter) {
    return std::string((1 << 18) - 10, letter) + "\n";
  }

  const std::string folder_ =
      testing::TempDir() + "/audit_file_" +
      testing::UnitTest::GetInstance()->current_test_info()->name();
  AuditFile::Options options_;
};

TEST_F(AuditFileTest, AppendsToWhatIsThere) {
  ASSERT_TRUE(Open()->Append("one\n").ok());
  ASSERT_TRUE(Open()->Append("two\nthree\n").ok());
  EXPECT_EQ(Content(), "one\ntwo\nthree\n");
}

TEST_F(AuditFileTest, OnlyItsOwnerCanReadIt) {
  Open();
  struct stat state;
  ASSERT_EQ(stat(options_.path.c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 0777, 0600u);
}

TEST_F(AuditFileTest, CutsOffAnIncompleteLastLine) {
  // Longer than what is read at once.
  Put("whole\n" + std::string(10'000, 'x'));
  const auto file = Open();
  EXPECT_EQ(file->dropped_bytes(), 10'000);
  ASSERT_TRUE(file->Append("next\n").ok());
  EXPECT_EQ(Content(), "whole\nnext\n");
}

TEST_F(AuditFileTest, CutsOffAnIncompleteOnlyLine) {
  Put("torn");
  EXPECT_EQ(Open()->dropped_bytes(), 4);
  EXPECT_EQ(Content(), "");
}

TEST_F(AuditFileTest, OneProcessWritesAFile) {
  const auto first = Open();
  const auto second = AuditFile::Open(options_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(options_.path + " is written by another process"));
}

TEST_F(AuditFileTest, ErrorsNameThePath) {
  options_.path = folder_ + "/missing/audit";
  const auto file = AuditFile::Open(options_);
  EXPECT_EQ(file.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(file.status().message()), HasSubstr(options_.path));
  options_.path = folder_;
  EXPECT_FALSE(AuditFile::Open(options_).ok());
}

TEST_F(AuditFileTest, KeepsAsManyFilesAsWanted) {
  const auto file = Open();
  for (const char letter : std::string("aaaabbbbccccdddde")) {
    ASSERT_TRUE(file->Append(Quarter(letter)).ok());
  }
  EXPECT_EQ(Content(), Quarter('e'));
  EXPECT_EQ(Read(options_.path + ".1")[0], 'd');
  EXPECT_EQ(Read(options_.path + ".2")[0], 'c');
  EXPECT_FALSE(std::filesystem::exists(options_.path + ".3"));
  EXPECT_EQ(std::filesystem::file_size(options_.path + ".1"),
            4 * Quarter('d').size());
}

// A process that was killed between two renames leaves a gap.
TEST_F(AuditFileTest, AGapAmongOldFilesCostsNone) {
  options_.files = 4;
  std::ofstream(options_.path + ".2") << "old\n";
  const auto file = Open();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(file->Append(Quarter('a')).ok());
  EXPECT_EQ(Read(options_.path + ".2"), "old\n");
  EXPECT_EQ(Read(options_.path + ".1")[0], 'a');
}

TEST_F(AuditFileTest, FollowsWhenSomebodyElseRotates) {
  const auto file = Open();
  ASSERT_TRUE(file->Append("one\n").ok());
  std::filesystem::rename(options_.path, folder_ + "/taken");
  ASSERT_TRUE(file->Append("two\n").ok());
  std::filesystem::remove(options_.path);
  ASSERT_TRUE(file->Append("three\n").ok());
  EXPECT_EQ(Read(folder_ + "/taken"), "one\n");
  EXPECT_EQ(Content(), "three\n");
}

// As logrotate's copytruncate does.
TEST_F(AuditFileTest, AFullDiskLeavesWholeLinesOfAFileThatSomebodyShortened) {
  const auto file = Open();
  ASSERT_TRUE(file->Append(std::string(100, 'x') + "\n").ok());
  std::filesystem::resize_file(options_.path, 0);
  ASSERT_TRUE(file->Append("one\n").ok());
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 10;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status full = file->Append("a line that is too long\n");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(full.ok());
  ASSERT_TRUE(file->Append("two\n").ok());
  EXPECT_EQ(Content(), "one\ntwo\n");
}

// A limit on the size of files acts like a full disk: it takes a part of a
// write, and refuses the rest.
TEST_F(AuditFileTest, AFullDiskLeavesWholeLines) {
  const auto file = Open();
  ASSERT_TRUE(file->Append("one\n").ok());
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 10;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status full = file->Append("a line that is too long\n");
  const std::string content = Content();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(full.ok());
  EXPECT_THAT(std::string(full.message()), HasSubstr(options_.path));
  EXPECT_EQ(content, "one\n");
  ASSERT_TRUE(file->Append("two\n").ok());
  EXPECT_EQ(Content(), "one\ntwo\n");
}

// Appends numbered lines for ever; tells `confirmed` each that is durable.
[[noreturn]] void WriteForEver(const AuditFile::Options& options,
                               int confirmed) {
  auto file = AuditFile::Open(options);
  for (int i = 0; file.ok(); ++i) {
    const std::string line =
        std::to_string(i) + " " + std::string(20'000, 'x') + "\n";
    if (!(*file)->Append(line).ok()) break;
    if (write(confirmed, &i, sizeof i) != sizeof i) break;
  }
  _exit(1);
}

TEST_F(AuditFileTest, AKilledProcessLosesNoConfirmedLine) {
  options_.files = 1000;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) WriteForEver(options_, ends[1]);
  close(ends[1]);
  int last = -1;
  // Enough for some rotations.
  while (last < 150) ASSERT_EQ(read(ends[0], &last, sizeof last), sizeof last);
  ASSERT_EQ(kill(child, SIGKILL), 0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  for (int i; read(ends[0], &i, sizeof i) == sizeof i;) last = i;
  close(ends[0]);

  ASSERT_TRUE(Open()->Append("end\n").ok());
  std::map<int, int> seen;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    std::ifstream lines(entry.path());
    for (std::string line; std::getline(lines, line);) {
      if (line == "end") continue;
      ASSERT_EQ(line.size(), line.find(' ') + 20'001) << "a torn line";
      ++seen[std::stoi(line)];
    }
  }
  ASSERT_GT(std::distance(std::filesystem::directory_iterator(folder_), {}), 2);
  for (int i = 0; i <= last; ++i) EXPECT_EQ(seen[i], 1) << i;
}

}  // namespace
}  // namespace apollo
