#include "link/peer_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "common/fake_clock.h"

namespace apollo {
namespace {

class NoEvents final : public LinkEvents {
 public:
  void OnLinkUp(LinkId, const WorkerInfo&, std::shared_ptr<Link>) override {
    ++up;
  }
  void OnLinkFrame(LinkId, Frame) override {}
  void OnLinkLeaving(LinkId, bool leaving) override { told.push_back(leaving); }
  void OnLinkDown(LinkId, absl::Status) override { ++down; }
  std::atomic<int> up{0};
  std::atomic<int> down{0};
  std::vector<bool> told;  // Arguments of OnLinkLeaving.
};

class FakeLink final : public Link {
 public:
  explicit FakeLink(std::shared_ptr<FrameHandler> handler)
      : handler_(std::move(handler)) {}
  void Send(Frame) override {}
  void Close() override {
    closed = true;
    End(absl::OkStatus());
  }
  void End(absl::Status status) {
    if (const auto handler = std::exchange(handler_, nullptr)) {
      handler->OnClosed(std::move(status));
    }
  }
  void Greet(WorkerInfo hello) {
    const auto handler = handler_;  // Which may close this link.
    handler->OnFrame({std::move(hello), {}});
  }
  bool closed = false;

 private:
  std::shared_ptr<FrameHandler> handler_;
};

class PeerSetTest : public testing::Test {
 protected:
  std::unique_ptr<PeerSet> Make(const std::vector<std::string>& members) {
    auto peers = std::make_unique<PeerSet>(
        [this](const std::string& address,
               std::shared_ptr<FrameHandler> handler) {
          dialed_.push_back(address);
          links_.push_back(std::make_shared<FakeLink>(std::move(handler)));
          if (fail_at_once_) links_.back()->End(absl::UnavailableError("no"));
          return links_.back();
        },
        WorkerInfo{WorkerRole::kDense, "me", "m", "1", {}, 0, 7}, events_,
        clock_);
    peers->SetMembers(members);
    return peers;
  }
  // Advances the time in small steps until something is dialled.
  absl::Duration UntilNextDial(PeerSet& peers) {
    const std::size_t before = dialed_.size();
    const absl::Duration start = clock_.now;
    while (dialed_.size() == before && clock_.now - start < absl::Minutes(1)) {
      clock_.now += absl::Milliseconds(10);
      peers.Poll();
    }
    return clock_.now - start;
  }

  FakeClock clock_;
  NoEvents events_;
  std::vector<std::string> dialed_;
  std::vector<std::shared_ptr<FakeLink>> links_;
  bool fail_at_once_ = false;
};

TEST_F(PeerSetTest, DialsEachAddressOnce) {
  const auto peers = Make({"a:1", "b:2"});
  EXPECT_TRUE(dialed_.empty());
  for (int i = 0; i < 3; ++i) {
    peers->Poll();
    clock_.now += absl::Seconds(10);
  }
  EXPECT_EQ(dialed_, (std::vector<std::string>{"a:1", "b:2"}));
  links_[0]->Greet({WorkerRole::kExpert, "x", "m", "1", {}});
  EXPECT_EQ(events_.up, 1);
}

TEST_F(PeerSetTest, ALostLinkIsLoggedWithTheNameOfThePeer) {
  testing::internal::CaptureStderr();
  const auto peers = Make({"a:1", "b:2"});
  peers->Poll();
  // One that has never answered has no name.
  links_[1]->End(absl::UnavailableError("refused"));
  links_[0]->Greet({WorkerRole::kExpert, "x", "m", "1", {}});
  links_[0]->End(absl::UnavailableError("gone"));
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines,
              testing::HasSubstr(
                  R"("link_lost","address":"b:2","code":"UNAVAILABLE")"));
  EXPECT_THAT(lines, testing::HasSubstr(
                         R"("link_lost","address":"a:1","peer":"x","code":)"));
}

TEST_F(PeerSetTest, TheNameIsKnownWhileThePeerDoesNotComeBack) {
  const auto peers = Make({"a:1"});
  peers->Poll();
  links_[0]->Greet({WorkerRole::kExpert, "x", "m", "1", {}});
  clock_.now += absl::Minutes(1);
  links_[0]->End(absl::UnavailableError("gone"));
  UntilNextDial(*peers);
  testing::internal::CaptureStderr();
  links_[1]->End(absl::UnavailableError("refused"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr(R"("address":"a:1","peer":"x","code":)"));
}

TEST_F(PeerSetTest, DescribesPeersAndWhyTheyAreLost) {
  const auto peers = Make({"a:1", "b:2"});
  peers->Poll();
  EXPECT_EQ(peers->Describe(), (std::vector<ListedWorker>{{.address = "a:1"},
                                                          {.address = "b:2"}}));
  WorkerInfo info{WorkerRole::kExpert, "x", "m", "1", {3}};
  links_[0]->Greet(info);
  links_[1]->End(absl::UnavailableError("refused"));
  std::vector<ListedWorker> now = peers->Describe();
  ASSERT_EQ(now.size(), 2u);
  EXPECT_TRUE(now[0].linked);
  ASSERT_TRUE(now[0].info.has_value());
  EXPECT_EQ(now[0].info->name, "x");
  EXPECT_FALSE(now[0].info->ready);
  EXPECT_EQ(now[0].reason, "");
  EXPECT_EQ(now[1], (ListedWorker{.address = "b:2", .reason = "refused"}));
  // A later description, and its loss.
  info.ready = true;
  info.revision = 1;
  info.running_sequences = 4;
  links_[0]->Greet(info);
  EXPECT_EQ(peers->Describe()[0].info->running_sequences, 4);
  EXPECT_TRUE(peers->Describe()[0].info->ready);
  links_[0]->End(absl::UnavailableError("gone"));
  now = peers->Describe();
  EXPECT_FALSE(now[0].linked);
  EXPECT_EQ(now[0].reason, "gone");
  EXPECT_EQ(now[0].info->name, "x");
}

TEST_F(PeerSetTest, PausesGrowWhileAPeerFails) {
  const auto peers = Make({"a:1"});
  fail_at_once_ = true;
  peers->Poll();
  ASSERT_EQ(dialed_.size(), 1u);
  absl::Duration expected = PeerSet::kFirstPause;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(UntilNextDial(*peers), expected) << i;
    expected = std::min(2 * expected, PeerSet::kLongestPause);
  }
}

TEST_F(PeerSetTest, ALongLivedLinkIsRedialledSoon) {
  const auto peers = Make({"a:1"});
  fail_at_once_ = true;
  peers->Poll();
  for (int i = 0; i < 8; ++i) UntilNextDial(*peers);
  fail_at_once_ = false;
  UntilNextDial(*peers);
  clock_.now += absl::Minutes(5);
  links_.back()->End(absl::UnavailableError("lost"));
  EXPECT_EQ(UntilNextDial(*peers), PeerSet::kFirstPause);
}

TEST_F(PeerSetTest, ALinkWhoseAddressLeavesIsKeptButNotRedialled) {
  const auto peers = Make({"a:1", "b:2"});
  peers->Poll();
  links_[0]->Greet({WorkerRole::kExpert, "x", "m", "1", {}});
  peers->SetMembers({"b:2"});
  peers->Poll();
  peers->Poll();
  EXPECT_EQ(events_.told, std::vector<bool>{true});
  EXPECT_FALSE(links_[0]->closed);
  links_[0]->Close();  // Its owner no longer needs it.
  clock_.now += absl::Minutes(1);
  peers->Poll();
  EXPECT_EQ(dialed_.size(), 2u);
  peers->SetMembers({"b:2", "a:1"});
  peers->Poll();
  EXPECT_EQ(dialed_.size(), 3u);
  EXPECT_EQ(dialed_.back(), "a:1");
}

TEST_F(PeerSetTest, AnAddressThatComesBackKeepsItsLink) {
  const auto peers = Make({"a:1"});
  peers->Poll();
  links_[0]->Greet({WorkerRole::kExpert, "x", "m", "1", {}});
  peers->SetMembers({});
  peers->Poll();
  peers->SetMembers({"a:1"});
  peers->Poll();
  EXPECT_EQ(events_.told, (std::vector<bool>{true, false}));
  EXPECT_FALSE(links_[0]->closed);
  EXPECT_EQ(dialed_.size(), 1u);
}

TEST_F(PeerSetTest, AnotherOrderOfTheAddressesChangesNothing) {
  const auto peers = Make({"a:1", "b:2"});
  peers->Poll();
  for (const auto& link : links_) {
    link->Greet({WorkerRole::kExpert, "x", "m", "1", {}});
  }
  peers->SetMembers({"b:2", "a:1"});
  clock_.now += absl::Minutes(1);
  peers->Poll();
  EXPECT_EQ(dialed_.size(), 2u);
  EXPECT_EQ(events_.told, std::vector<bool>{});
}

// As in DNS, where an address may soon belong to another host.
TEST_F(PeerSetTest, AnotherProcessAtAnAddressIsAnotherPeer) {
  const auto peers = Make({"a:1"});
  peers->Poll();
  WorkerInfo old{WorkerRole::kExpert, "x", "m", "1", {3}, 0, 8};
  old.ready = true;
  old.revision = 9;
  links_[0]->Greet(old);
  links_[0]->End(absl::UnavailableError("gone"));
  EXPECT_EQ(events_.down, 1);
  EXPECT_EQ(UntilNextDial(*peers), PeerSet::kFirstPause);
  links_[1]->Greet({WorkerRole::kExpert, "y", "m", "1", {4}, 0, 9});
  EXPECT_EQ(events_.up, 2);
  const std::vector<ListedWorker> now = peers->Describe();
  ASSERT_EQ(now.size(), 1u);
  EXPECT_EQ(now[0].info->name, "y");
  EXPECT_FALSE(now[0].info->ready);
  EXPECT_EQ(now[0].info->revision, 0u);
}

TEST_F(PeerSetTest, ALinkThatIsNotUpIsClosedWhenItsAddressLeaves) {
  const auto peers = Make({"a:1", "b:2"});
  peers->Poll();
  peers->SetMembers({"b:2"});
  peers->Poll();
  EXPECT_TRUE(links_[0]->closed);
  EXPECT_FALSE(links_[1]->closed);
  EXPECT_EQ(events_.told, std::vector<bool>{});
  peers->SetMembers({"a:1", "b:2"});
  clock_.now += absl::Minutes(1);
  peers->Poll();
  EXPECT_EQ(dialed_.size(), 3u);
}

TEST_F(PeerSetTest, ThisProcessItselfIsDialledOnlyOnce) {
  const auto peers = Make({"a:1"});
  peers->Poll();
  links_[0]->Greet({WorkerRole::kDense, "me", "m", "1", {}, 0, 7});
  EXPECT_TRUE(links_[0]->closed);
  clock_.now += absl::Hours(1);
  peers->Poll();
  EXPECT_EQ(dialed_.size(), 1u);
  EXPECT_EQ(events_.up, 0);
}

// A link that ends later in another thread, like links over a network.
class SlowLink final : public Link {
 public:
  explicit SlowLink(std::shared_ptr<FrameHandler> handler)
      : handler_(std::move(handler)) {}
  ~SlowLink() override { thread_.join(); }
  void Send(Frame) override {}
  void Close() override {
    thread_ = std::thread([handler = std::move(handler_)] {
      handler->OnClosed(absl::OkStatus());
    });
  }

 private:
  std::shared_ptr<FrameHandler> handler_;
  std::thread thread_;
};

TEST_F(PeerSetTest, DestructionWaitsForEveryEnd) {
  std::vector<std::shared_ptr<SlowLink>> links;
  auto peers = std::make_unique<PeerSet>(
      [&links](const std::string&, std::shared_ptr<FrameHandler> handler) {
        handler->OnFrame(
            {WorkerInfo{WorkerRole::kExpert, "x", "m", "1", {}}, {}});
        links.push_back(std::make_shared<SlowLink>(std::move(handler)));
        return links.back();
      },
      WorkerInfo{WorkerRole::kDense, "me", "m", "1", {}, 0, 7}, events_,
      clock_);
  peers->SetMembers({"a:1", "b:2"});
  peers->Poll();
  EXPECT_EQ(events_.up, 2);
  EXPECT_EQ(events_.down, 0);
  peers.reset();
  EXPECT_EQ(events_.down, 2);
}

}  // namespace
}  // namespace apollo
