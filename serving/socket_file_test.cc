#include "serving/socket_file.h"

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/temp_folder.h"
#include "serving/unix_address.h"

namespace apollo {
namespace {

using testing::HasSubstr;

class SocketFileTest : public testing::Test {
 protected:
  bool Connects() const {
    const FileDescriptor client(socket(AF_UNIX, SOCK_STREAM, 0));
    const sockaddr_un address = UnixSocketAddress(path_);
    return connect(client.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)) == 0;
  }
  // Leaves the file of a process that was killed.
  void LeaveStale() const {
    const FileDescriptor dead(socket(AF_UNIX, SOCK_STREAM, 0));
    const sockaddr_un address = UnixSocketAddress(path_);
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)),
              0);
  }

  const TempFolder temp_;
  const std::string folder_ = temp_.path();
  const std::string path_ = folder_ + "/grpc.sock";
};

TEST_F(SocketFileTest, OnlyTheUserMayConnectWhateverTheUmask) {
  const mode_t before = umask(0);
  auto file = SocketFile::Claim(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  auto socket = (*file)->Listen();
  umask(before);
  ASSERT_TRUE(socket.ok()) << socket.status();
  struct stat facts;
  ASSERT_EQ(stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  EXPECT_TRUE(Connects());
  file->reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(SocketFileTest, ReplacesTheSocketOfAProcessThatWasKilled) {
  LeaveStale();
  EXPECT_FALSE(Connects());
  auto file = SocketFile::Claim(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  auto socket = (*file)->Listen();
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_TRUE(Connects());
}

TEST_F(SocketFileTest, DoesNotReplaceOneThatListens) {
  auto first = SocketFile::Claim(path_);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = SocketFile::Claim(path_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(absl::StrCat("unix:", path_, ": another process")));
  auto socket = (*first)->Listen();
  ASSERT_TRUE(socket.ok()) << socket.status();
  // A program that knows nothing of the lock.
  std::filesystem::remove(path_ + ".lock");
  auto third = SocketFile::Claim(path_);
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_EQ((*third)->Listen().status().code(), absl::StatusCode::kUnavailable);
  third->reset();
  EXPECT_TRUE(Connects());
}

TEST_F(SocketFileTest, DoesNotReplaceOtherFiles) {
  std::ofstream(path_) << "valuable";
  auto file = SocketFile::Claim(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(std::string((*file)->Listen().status().message()),
              HasSubstr("no socket"));
  file->reset();
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
}

TEST_F(SocketFileTest, RemovesOnlyItsOwnFile) {
  auto file = SocketFile::Claim(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  auto socket = (*file)->Listen();
  ASSERT_TRUE(socket.ok()) << socket.status();
  std::filesystem::remove(path_);
  std::ofstream(path_) << "another";
  file->reset();
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(SocketFileTest, AFolderMustExistAndThePathMustFit) {
  const auto missing = SocketFile::Claim(folder_ + "/missing/grpc.sock");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(missing.status().message()),
              HasSubstr("No such file"));
  const auto longer = SocketFile::Claim(folder_ + "/" + std::string(100, 'x'));
  EXPECT_EQ(longer.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(longer.status().message()), HasSubstr("at most 107"));
}

}  // namespace
}  // namespace apollo
