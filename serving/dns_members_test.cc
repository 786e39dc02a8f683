#include "serving/dns_members.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/fake_clock.h"
#include "common/mutex.h"
#include "serving/dnsmasq.h"
#include "serving/membership.h"

namespace apollo {
namespace {

using Addresses = std::vector<std::string>;

TEST(DnsMembersTest, ANameThatIsGoneKeepsItsAddressesForAWhile) {
  FakeClock clock;
  absl::StatusOr<Addresses> answer = absl::NotFoundError("gone");
  DnsMembers members([&answer] { return answer; }, clock);
  const absl::Status first = members.Read().status();
  EXPECT_TRUE(absl::IsNotFound(first)) << first;
  clock.now += DnsMembers::kGrace - absl::Milliseconds(1);
  EXPECT_EQ(members.Read().status(), first);  // So it is logged once.
  clock.now += absl::Milliseconds(1);
  EXPECT_EQ(*members.Read(), Addresses{});
  answer = Addresses{"10.0.0.1:1"};
  EXPECT_EQ(*members.Read(), Addresses{"10.0.0.1:1"});
  answer = absl::NotFoundError("gone");
  EXPECT_TRUE(absl::IsNotFound(members.Read().status()));
}

TEST(DnsMembersTest, WithoutAnAnswerNothingIsKnownHoweverLongItTakes) {
  FakeClock clock;
  absl::StatusOr<Addresses> answer = absl::NotFoundError("gone");
  DnsMembers members([&answer] { return answer; }, clock);
  EXPECT_TRUE(absl::IsNotFound(members.Read().status()));
  answer = absl::UnavailableError("no answer");
  clock.now += 100 * DnsMembers::kGrace;
  EXPECT_TRUE(absl::IsUnavailable(members.Read().status()));
}

// A membership that looks its list up at a server of the test.
class DnsMembershipTest : public testing::Test {
 protected:
  std::unique_ptr<Membership> Follow(const std::string& list) {
    auto members = Membership::Parse(list, dns_.address());
    EXPECT_TRUE(members.ok()) << members.status();
    return *std::move(members);
  }
  // Returns the list after one more look-up.
  Addresses Read(Membership& members) {
    members.Refresh();
    return members.Current();
  }
  // Returns the list after a look-up that finds `wanted`, or after the last of
  // many: a server on a busy machine may be late, which changes no list.
  Addresses Read(Membership& members, const Addresses& wanted) {
    for (int i = 0; i < 20 && Read(members) != wanted; ++i) {
    }
    return members.Current();
  }

  Dnsmasq dns_ = Dnsmasq("srv-host=workers.test,e0.test,7109\n");
};

TEST_F(DnsMembershipTest, FollowsTheAddressesOfAName) {
  const auto members = Follow("dns:w.test:7101");
  EXPECT_FALSE(members->NamesNobody());
  EXPECT_EQ(Read(*members), Addresses{});
  dns_.SetHosts("10.0.0.2 w.test\n10.0.0.1 w.test\n");
  const Addresses two = {"10.0.0.1:7101", "10.0.0.2:7101"};
  EXPECT_EQ(Read(*members, two), two);
  dns_.SetHosts("10.0.0.2 w.test\nfd00::1 w.test\n");
  const Addresses changed = {"10.0.0.2:7101", "[fd00::1]:7101"};
  EXPECT_EQ(Read(*members, changed), changed);
}

TEST_F(DnsMembershipTest, FollowsTheRecordsOfAService) {
  const auto members = Follow("dns:workers.test");
  dns_.SetHosts("10.0.0.2 e0.test\n");
  const Addresses found = {"10.0.0.2:7109"};
  EXPECT_EQ(Read(*members, found), found);
}

TEST_F(DnsMembershipTest, KeepsTheListWithoutAnAnswer) {
  dns_.SetHosts("10.0.0.2 w.test\n");
  const auto members = Follow("dns:w.test:7101");
  const Addresses kept = {"10.0.0.2:7101"};
  EXPECT_EQ(Read(*members, kept), kept);
  testing::internal::CaptureStderr();
  dns_.Stop();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Read(*members), kept);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  const std::size_t first = log.find("workers_list_rejected");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("workers_list_rejected", first + 1), std::string::npos)
      << log;
  EXPECT_NE(log.find("dns:w.test:7101"), std::string::npos) << log;
}

// The addresses of a name come in a changing order.
TEST_F(DnsMembershipTest, AnotherOrderIsNoChange) {
  dns_.SetHosts("10.0.0.1 w.test\n10.0.0.2 w.test\n10.0.0.3 w.test\n");
  const auto members = Follow("dns:w.test:7101");
  const Addresses first = {"10.0.0.1:7101", "10.0.0.2:7101", "10.0.0.3:7101"};
  EXPECT_EQ(Read(*members, first), first);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(Read(*members), first);
}

TEST_F(DnsMembershipTest, ItsOwnThreadTellsTheChanges) {
  Mutex mutex;
  CondVar changed;
  Addresses heard;
  const auto wait_for = [&](const Addresses& wanted) {
    MutexLock lock(mutex);
    while (heard != wanted) changed.wait(mutex);
  };
  const auto members = Follow("dns:w.test:7101");
  members->Start([&](const Addresses& addresses) {
    MutexLock lock(mutex);
    heard = addresses;
    changed.notify_all();
  });
  dns_.SetHosts("10.0.0.1 w.test\n");
  wait_for({"10.0.0.1:7101"});
  dns_.SetHosts("10.0.0.1 w.test\n10.0.0.2 w.test\n");
  wait_for({"10.0.0.1:7101", "10.0.0.2:7101"});
}

}  // namespace
}  // namespace apollo
