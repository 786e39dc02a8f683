// The contract of Link for links in process and over gRPC, and tests of each of
// them.
#include "link/link_contract.h"

#include <gtest/gtest.h>

#include <optional>

#include "link/link_pair.h"

namespace apollo {
namespace {

using Implementations = testing::Types<InProcessPair, GrpcPair>;
INSTANTIATE_TYPED_TEST_SUITE_P(Plain, LinkContract, Implementations);

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
