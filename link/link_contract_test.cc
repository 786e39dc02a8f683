// The contract of Link (link.h), tested for each implementation.
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "common/rows_testing.h"
#include "link/link_pair.h"

namespace apollo {
namespace {

Frame Numbered(std::uint64_t number, std::vector<float> payload = {}) {
  return {ExpertRows{number, 1, 2}, Rows::FromVector(std::move(payload), 1)};
}
std::uint64_t NumberOf(const Frame& frame) {
  return std::get<ExpertRows>(frame.body).ticket;
}

template <typename T>
class LinkContract : public testing::Test {
 protected:
  T pair_;
};
using Implementations = testing::Types<InProcessPair, GrpcPair>;
TYPED_TEST_SUITE(LinkContract, Implementations);

TYPED_TEST(LinkContract, FramesArriveInOrderBothWays) {
  Pair& pair = this->pair_;
  for (std::uint64_t i = 0; i < 50; ++i) {
    for (int end : {0, 1}) pair.link[end]->Send(Numbered(2 * i + end));
  }
  for (int end : {0, 1}) {
    const auto frames = pair.at[1 - end]->WaitForFrames(50);
    ASSERT_EQ(frames.size(), 50u);
    for (std::uint64_t i = 0; i < 50; ++i) {
      EXPECT_EQ(NumberOf(frames[i]), 2 * i + end);
    }
  }
}

TYPED_TEST(LinkContract, PayloadsArriveBitForBit) {
  Pair& pair = this->pair_;
  const std::vector<std::size_t> sizes = {0, 1, 262144, 700001, 262145};
  std::vector<std::vector<float>> payloads;
  for (const std::size_t size : sizes) {
    std::vector<float> payload(size);
    for (std::size_t i = 0; i < size; ++i) {
      // All kinds of numbers, including NaN and denormals.
      const std::uint32_t bits = static_cast<std::uint32_t>(i) * 2654435761u;
      std::memcpy(&payload[i], &bits, sizeof(bits));
    }
    payloads.push_back(payload);
    pair.link[0]->Send(Numbered(size, std::move(payload)));
  }
  const auto frames = pair.at[1]->WaitForFrames(sizes.size());
  ASSERT_EQ(frames.size(), sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(NumberOf(frames[i]), sizes[i]);
    ASSERT_EQ(frames[i].payload.numbers(), sizes[i]);
    EXPECT_TRUE(std::equal(
        payloads[i].begin(), payloads[i].end(),
        frames[i].payload.host().begin(),
        [](float a, float b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }));
  }
}

TYPED_TEST(LinkContract, CloseTellsBothSidesOnceAndDropsLaterFrames) {
  for (int closer : {0, 1}) {
    TypeParam pair;
    pair.link[0]->Send(Numbered(1));  // Makes sure that the link is open.
    pair.at[1]->WaitForFrames(1);
    pair.link[closer]->Close();
    EXPECT_TRUE(pair.at[closer]->WaitForClosed().ok());
    EXPECT_FALSE(pair.at[1 - closer]->WaitForClosed().ok());
    for (int end : {0, 1}) {
      pair.link[end]->Send(Numbered(2, {1, 2, 3}));
      pair.link[end]->Close();
      EXPECT_EQ(pair.at[end]->times_closed(), 1u);
    }
    EXPECT_EQ(pair.at[1]->WaitForFrames(1).size(), 1u);
    EXPECT_TRUE(pair.at[0]->WaitForFrames(0).empty());
  }
}

TYPED_TEST(LinkContract, ManySendersLoseNothingAndKeepTheirOrder) {
  constexpr int kThreads = 4, kFrames = 200;
  Pair& pair = this->pair_;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&pair, t] {
      for (int i = 0; i < kFrames; ++i) {
        pair.link[t % 2]->Send(Numbered(t * 1000 + i, {static_cast<float>(i)}));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (int end : {0, 1}) {
    const auto frames = pair.at[1 - end]->WaitForFrames(kThreads / 2 * kFrames);
    ASSERT_EQ(frames.size(), std::size_t{kThreads / 2 * kFrames});
    std::map<std::uint64_t, std::uint64_t> next;  // By thread.
    for (const Frame& frame : frames) {
      const std::uint64_t thread = NumberOf(frame) / 1000;
      EXPECT_EQ(static_cast<int>(thread % 2), end);
      EXPECT_EQ(NumberOf(frame) % 1000, next[thread]++);
    }
  }
}

// Closes a link within OnFrame, as LinkSession does with a peer that it
// refuses.
class Refuser final : public FrameHandler {
 public:
  void OnFrame(Frame) override { link->Close(); }
  void OnClosed(absl::Status status) override { closed = status; }
  std::shared_ptr<Link> link;
  std::optional<absl::Status> closed;
};

TEST(InProcessLinkTest, AHandlerMayCloseTheLink) {
  auto refuser = std::make_shared<Refuser>();
  auto other = std::make_shared<Recorder>();
  const auto [first, second] = MakeInProcessLink(refuser, other);
  refuser->link = first;
  second->Send(Numbered(1));
  ASSERT_TRUE(refuser->closed.has_value());
  EXPECT_TRUE(refuser->closed->ok());
  EXPECT_FALSE(other->WaitForClosed().ok());
  refuser->link = nullptr;
}

TEST(GrpcLinkTest, AnUnreachablePeerIsUnavailable) {
  std::string address;
  {
    LinkServer server(nullptr);
    address = server.address();  // Nothing listens there any more.
  }
  auto recorder = std::make_shared<Recorder>();
  const auto link = MakeGrpcDialer(Insecure)(address, recorder);
  link->Send(Numbered(1));
  EXPECT_EQ(recorder->WaitForClosed().code(), absl::StatusCode::kUnavailable);
}

TEST(GrpcLinkTest, ARefusedLinkIsUnavailable) {
  LinkServer server(nullptr);
  auto recorder = std::make_shared<Recorder>();
  const auto link = MakeGrpcDialer(Insecure)(server.address(), recorder);
  EXPECT_EQ(recorder->WaitForClosed().code(), absl::StatusCode::kUnavailable);
}

TEST(GrpcLinkTest, ShuttingTheServerDownClosesItsLinks) {
  auto at_server = std::make_shared<Recorder>();
  auto at_client = std::make_shared<Recorder>();
  LinkServer server(at_server);
  const auto link = MakeGrpcDialer(Insecure)(server.address(), at_client);
  link->Send(Numbered(1));
  at_server->WaitForFrames(1);
  server.Shutdown();
  EXPECT_FALSE(at_server->WaitForClosed().ok());
  EXPECT_FALSE(at_client->WaitForClosed().ok());
}

}  // namespace
}  // namespace apollo
