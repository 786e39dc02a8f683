#include "serving/membership.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <thread>

#include "common/mutex.h"
#include "common/queue.h"

namespace apollo {
namespace {

using Addresses = std::vector<std::string>;

// Returns the list after one more read.
Addresses Read(Membership& members) {
  members.Refresh();
  return members.Current();
}

TEST(MembershipTest, ListsKeepTheirOrderWithoutRepeats) {
  auto membership = Membership::Parse(" b:2, a:1,,b:2,[::1]:65535");
  ASSERT_TRUE(membership.ok()) << membership.status();
  EXPECT_EQ((*membership)->Current(), (Addresses{"b:2", "a:1", "[::1]:65535"}));
  EXPECT_EQ((*Membership::Parse("unix:/run/a.sock,a:1"))->Current(),
            (Addresses{"unix:/run/a.sock", "a:1"}));
  EXPECT_EQ((*Membership::Parse(""))->Current(), Addresses{});
}

TEST(MembershipTest, AnInvalidAddressIsNamed) {
  for (const char* bad :
       {"host",           "host:",           ":80",
        "host:0",         "host:65536",      "host:x",
        "file:",          "a host:80",       "a:80;b:80",
        "http://host:80", "[::1:80",         "[]:80",
        "dns:",           "dns:name:0",      "dns:name:65536",
        "dns:name:x",     "dns:10.0.0.1:80", "dns:a b:80",
        "dns:[::1]:80",   "dns:a:1,b:2",     "unix:relative"}) {
    const auto membership = Membership::Parse(bad);
    ASSERT_FALSE(membership.ok()) << bad;
    EXPECT_EQ(membership.status().code(), absl::StatusCode::kInvalidArgument);
    const std::string message(membership.status().message());
    std::string named = bad;
    // Of a name in DNS, the name or all of it.
    if (named.starts_with("dns:") && message.find(bad) == std::string::npos) {
      named = named.substr(4, named.rfind(':') - 4);
    }
    EXPECT_NE(message.find(named), std::string::npos) << message;
  }
}

TEST(MembershipTest, AFileIsReadAgainEachTime) {
  const std::string path = testing::TempDir() + "/members";
  std::remove(path.c_str());
  auto membership = Membership::Parse("file:" + path);
  ASSERT_TRUE(membership.ok());
  Membership& members = **membership;
  EXPECT_EQ(Read(members), Addresses{});
  std::ofstream(path) << "# workers\n\na:1\r\n  b:2  \n";
  EXPECT_EQ(Read(members), (Addresses{"a:1", "b:2"}));
  std::ofstream(path) << "c:3\nhalf-written";
  EXPECT_EQ(Read(members), (Addresses{"a:1", "b:2"}));
  std::ofstream(path) << "";
  EXPECT_EQ(Read(members), (Addresses{"a:1", "b:2"}));
  std::ofstream(path) << "c:3\n";
  EXPECT_EQ(Read(members), Addresses{"c:3"});
  std::remove(path.c_str());
  EXPECT_EQ(Read(members), Addresses{"c:3"});
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
  Membership& members = **membership;
  testing::internal::CaptureStderr();
  const auto read = [&](const std::string& text) {
    std::ofstream(path) << text;
    for (int i = 0; i < 3; ++i) members.Refresh();
  };
  read("a:1\n");
  read("b:2\nno-port\n");
  read("other-mistake\n");
  read("");  // The file is being written.
  EXPECT_EQ(Read(members), Addresses{"a:1"});
  read("c:3\n");
  read("other-mistake\n");
  std::remove(path.c_str());
  for (int i = 0; i < 3; ++i) members.Refresh();
  EXPECT_EQ(Read(members), Addresses{"c:3"});
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(CountOf(log, "workers_list_rejected"), 4) << log;
  EXPECT_EQ(CountOf(log, "workers_list_recovered"), 1) << log;
  EXPECT_EQ(CountOf(log, "no-port"), 1) << log;
  EXPECT_EQ(CountOf(log, "other-mistake"), 2) << log;
  EXPECT_GE(CountOf(log, path), 5) << log;
}

TEST(MembershipTest, OnlyAnEmptyFixedListNamesNobody) {
  EXPECT_TRUE((*Membership::Parse(""))->NamesNobody());
  EXPECT_TRUE((*Membership::Parse(" , ,"))->NamesNobody());
  EXPECT_FALSE((*Membership::Parse("a:1"))->NamesNobody());
  EXPECT_FALSE((*Membership::Parse("file:/nowhere"))->NamesNobody());
}

// Records the lists that a listener receives.
class Heard {
 public:
  Membership::Listener listener() {
    return [this](const Addresses& addresses) {
      MutexLock lock(mutex_);
      lists_.push_back(addresses);
      changed_.notify_all();
    };
  }
  std::vector<Addresses> WaitFor(std::size_t count) {
    MutexLock lock(mutex_);
    while (lists_.size() < count) changed_.wait(mutex_);
    return lists_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<Addresses> lists_ ABSL_GUARDED_BY(mutex_);
};

TEST(MembershipTest, AFixedListIsToldAtOnce) {
  Heard heard;
  Membership members(Addresses{"a:1", "b:2"});
  members.Start(heard.listener());
  EXPECT_EQ(heard.WaitFor(1),
            (std::vector<Addresses>{Addresses{"a:1", "b:2"}}));
}

TEST(MembershipTest, ASourceTellsItsFirstListAndEveryChangeButNothingTwice) {
  Heard heard;
  std::vector<absl::StatusOr<Addresses>> answers = {
      Addresses{"a:1"}, Addresses{"a:1"}, absl::NotFoundError(""),
      Addresses{"a:1"}, Addresses{"b:2"}, absl::AbortedError(""),
      Addresses{"b:2"}, Addresses{}};
  std::size_t next = 0;
  Membership members("source", [&answers, &next] {
    return answers[std::min(next++, answers.size() - 1)];
  });
  members.Start(heard.listener());
  EXPECT_EQ(heard.WaitFor(3), (std::vector<Addresses>{{"a:1"}, {"b:2"}, {}}));
}

// A source that hangs, as a file on a lost disk does.
TEST(MembershipTest, ASourceThatHangsHoldsUpNobody) {
  Queue<int> go_on;
  Queue<int> reading;
  {
    Heard heard;
    Membership members("hanging", [&]() -> absl::StatusOr<Addresses> {
      reading.Push(1);
      go_on.Pop();
      return Addresses{"a:1"};
    });
    members.Start(heard.listener());
    reading.Pop();
    // While the thread is reading.
    EXPECT_EQ(members.Current(), Addresses{});
    EXPECT_FALSE(members.NamesNobody());
    go_on.Push(1);
    heard.WaitFor(1);
    EXPECT_EQ(members.Current(), Addresses{"a:1"});
    go_on.Close();
  }
}

// What a read that began earlier has found says nothing about a change since.
TEST(MembershipTest, ReadsAgainWhenAskedTo) {
  Queue<int> go_on;
  Queue<int> reading;
  int reads = 0;
  Membership members(
      "asked",
      [&]() -> absl::StatusOr<Addresses> {
        reading.Push(1);
        go_on.Pop();
        if (++reads == 1) return Addresses{"old:1"};
        return absl::InvalidArgumentError("\"x\" is not an address");
      },
      absl::Hours(1));
  members.Start([](const Addresses&) {});
  reading.Pop();
  absl::Status result;
  std::thread asker([&] { result = members.ReadNow(absl::Hours(1)); });
  go_on.Push(1);
  reading.Pop();
  go_on.Push(1);
  asker.join();
  EXPECT_EQ(result,
            absl::InvalidArgumentError("asked: \"x\" is not an address"));
  EXPECT_EQ(members.Current(), Addresses{"old:1"});
  go_on.Close();
}

TEST(MembershipTest, AFixedListIsAlwaysFollowed) {
  const auto list = Membership::Parse("a:1");
  EXPECT_FALSE((*list)->FollowsSource());
  EXPECT_TRUE((*list)->ReadNow().ok());
}

// Refuses all addresses but those of port 1.
absl::Status OnlyPortOne(const std::string& address) {
  if (address.ends_with(":1")) return absl::OkStatus();
  return absl::FailedPreconditionError(address + " is refused");
}

TEST(MembershipCheckTest, AFixedListMustPass) {
  EXPECT_TRUE(Membership::Parse("a:1,b:1", "", OnlyPortOne).ok());
  const auto list = Membership::Parse("a:1,b:2", "", OnlyPortOne);
  EXPECT_EQ(list.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(list.status().message(), "b:2 is refused");
}

TEST(MembershipCheckTest, AFileThatDoesNotPassChangesNothing) {
  const std::string path = testing::TempDir() + "/checked.list";
  std::ofstream(path) << "a:1\n";
  auto list = Membership::Parse("file:" + path, "", OnlyPortOne);
  ASSERT_TRUE(list.ok()) << list.status();
  (*list)->Refresh();
  EXPECT_EQ((*list)->Current(), Membership::Addresses{"a:1"});
  std::ofstream(path) << "a:1\nb:2\n";
  (*list)->Refresh();
  EXPECT_EQ((*list)->Current(), Membership::Addresses{"a:1"});
}

}  // namespace
}  // namespace apollo
