#include "link/link_session.h"

#include <gtest/gtest.h>

#include "link/in_process_link.h"

namespace apollo {
namespace {

// Records events as text.
class Log final : public LinkEvents {
 public:
  void OnLinkUp(LinkId id, const WorkerInfo& peer,
                std::shared_ptr<Link> link) override {
    this->link = std::move(link);
    this->id = id;
    text += "up " + peer.name + "; ";
  }
  void OnLinkFrame(LinkId id, Frame frame) override {
    EXPECT_EQ(id, this->id);
    if (const auto* info = std::get_if<WorkerInfo>(&frame.body)) {
      text += "info of " + info->name + ", " + info->config_hash + ", " +
              info->numerics + "; ";
      last = *info;
      return;
    }
    text += "frame " + std::to_string(std::get<ExpertRows>(frame.body).ticket) +
            "; ";
  }
  void OnLinkLeaving(LinkId id, bool leaving) override {
    EXPECT_EQ(id, this->id);
    text += leaving ? "leaving; " : "back; ";
  }
  void OnLinkPiece(LinkId id) override {
    EXPECT_EQ(id, this->id);
    text += "piece; ";
  }
  void OnLinkDown(LinkId id, absl::Status status) override {
    EXPECT_EQ(id, this->id);
    text += status.ok() ? "down; " : "lost; ";
    link = nullptr;
  }
  std::string text;
  LinkId id = 0;
  std::shared_ptr<Link> link;
  WorkerInfo last;  // The last description but the first.
};

// One side of a link.
struct Side {
  explicit Side(WorkerInfo hello)
      : session(std::make_shared<LinkSession>(
            std::move(hello), log,
            [this](absl::Status s, const std::string& peer) {
              ended.push_back(s);
              peers.push_back(peer);
            })) {}
  Log log;
  std::vector<absl::Status> ended;
  std::vector<std::string> peers;  // Their names at the end.
  std::shared_ptr<LinkSession> session;
};

WorkerInfo Named(const std::string& name, const std::string& hash = "m") {
  return {WorkerRole::kExpert, name, hash, "1", {}};
}

// Only records what is sent.
class SilentLink final : public Link {
 public:
  void Send(Frame frame) override { sent.push_back(std::move(frame)); }
  void Close() override { closed = true; }
  std::vector<Frame> sent;
  bool closed = false;
};

void Connect(Side& a, Side& b) {
  const auto [at_a, at_b] = MakeInProcessLink(a.session, b.session);
  a.session->Begin(at_a);
  b.session->Begin(at_b);
}

TEST(LinkSessionTest, UpThenFramesThenDown) {
  Side a(Named("a")), b(Named("b"));
  Connect(a, b);
  ASSERT_TRUE(a.log.link && b.log.link);
  EXPECT_NE(a.log.id, b.log.id);
  a.log.link->Send({ExpertRows{1, 0, 0}, {}});
  a.log.link->Send({ExpertRows{2, 0, 0}, {}});
  a.log.link->Close();
  EXPECT_EQ(a.log.text, "up b; down; ");
  EXPECT_EQ(b.log.text, "up a; frame 1; frame 2; lost; ");
  ASSERT_EQ(a.ended.size(), 1u);
  EXPECT_TRUE(a.ended[0].ok());
  EXPECT_EQ(a.peers[0], "b");
  ASSERT_EQ(b.ended.size(), 1u);
  EXPECT_EQ(b.ended[0].code(), absl::StatusCode::kUnavailable);
}

TEST(LinkSessionTest, LeavingIsReportedWhileTheLinkIsUp) {
  Side a(Named("a")), b(Named("b"));
  Connect(a, b);
  a.session->SetLeaving(true);
  a.session->SetLeaving(false);
  a.log.link->Close();
  a.session->SetLeaving(true);
  EXPECT_EQ(a.log.text, "up b; leaving; back; down; ");
}

TEST(LinkSessionTest, PiecesAreReportedWhileTheLinkIsUp) {
  Side a(Named("a")), b(Named("b"));
  a.session->OnPiece();
  Connect(a, b);
  a.session->OnPiece();
  a.log.link->Close();
  a.session->OnPiece();
  EXPECT_EQ(a.log.text, "up b; piece; down; ");
}

TEST(LinkSessionTest, APeerThatLeftBeforeItsHelloNeverComesUp) {
  Side a(Named("a")), b(Named("b"));
  a.session->SetLeaving(true);
  Connect(a, b);
  EXPECT_EQ(a.log.text, "");
  ASSERT_EQ(a.ended.size(), 1u);
  EXPECT_EQ(a.ended[0].code(), absl::StatusCode::kCancelled);
}

// Neither side announces the link, and one reports the reason.
void ExpectRefused(Side& a, Side& b, const std::string& why) {
  Connect(a, b);
  EXPECT_EQ(a.log.text + b.log.text, "");
  ASSERT_EQ(a.ended.size(), 1u);
  ASSERT_EQ(b.ended.size(), 1u);
  const bool a_refused =
      a.ended[0].code() == absl::StatusCode::kFailedPrecondition;
  EXPECT_TRUE(a_refused ||
              b.ended[0].code() == absl::StatusCode::kFailedPrecondition);
  const std::string reason((a_refused ? a : b).ended[0].message());
  EXPECT_NE(reason.find(why), std::string::npos) << reason;
  EXPECT_EQ((a_refused ? a : b).peers[0], a_refused ? "b" : "a");
}

TEST(LinkSessionTest, AnotherModelIsRefused) {
  Side a(Named("a")), b(Named("b", "other"));
  ExpectRefused(a, b, "its hash of the model is ");
}

TEST(LinkSessionTest, AnotherConfigOrTokenizerIsRefused) {
  WorkerInfo info = Named("a"), other = Named("b");
  info.config_hash = info.tokenizer_hash = "1";
  other.config_hash = "2";
  {
    Side a(info), b(other);
    ExpectRefused(a, b, "its hash of config.json is ");
  }
  other.config_hash = "1";
  other.tokenizer_hash = "2";
  Side a(info), b(other);
  ExpectRefused(a, b, "its hash of tokenizer.json is ");
}

TEST(LinkSessionTest, TheIdentityOfAPeerDoesNotChange) {
  Side a(Named("a"));
  auto link = std::make_shared<SilentLink>();
  a.session->Begin(link);
  WorkerInfo peer = Named("b");
  peer.config_hash = "1";
  peer.numerics = "cpu/int8/f16/1";
  a.session->OnFrame({peer, {}});
  peer.name = "c";
  peer.config_hash = "2";
  peer.numerics = "cuda/int8/f16/1";
  a.session->OnFrame({peer, {}});
  EXPECT_EQ(a.log.text, "up b; info of b, 1, cpu/int8/f16/1; ");
}

// A description may leave out the placement; who reads it never sees that.
TEST(LinkSessionTest, APlacementThatIsLeftOutIsTheLastOne) {
  Side a(Named("a"));
  auto link = std::make_shared<SilentLink>();
  a.session->Begin(link);
  ASSERT_EQ(link->sent.size(), 1u);
  EXPECT_TRUE(std::get<WorkerInfo>(link->sent[0].body).keeps_placement);
  WorkerInfo peer = Named("b");
  a.session->OnFrame({peer, {}});
  WorkerInfo whole = peer;
  whole.revision = 1;
  whole.placement.last_move = "the first";
  a.session->OnFrame({whole, {}});
  WorkerInfo brief = peer;
  brief.revision = 2;
  brief.same_placement = true;
  a.session->OnFrame({brief, {}});
  EXPECT_EQ(a.log.last.revision, 2u);
  EXPECT_EQ(a.log.last.placement.last_move, "the first");
  EXPECT_FALSE(a.log.last.same_placement);
  brief.revision = 3;
  a.session->OnFrame({brief, {}});
  EXPECT_EQ(a.session->Peer()->placement.last_move, "the first");
  whole.revision = 4;
  whole.placement = {};
  a.session->OnFrame({whole, {}});
  EXPECT_EQ(a.log.last.placement, PlacementReport{});
}

TEST(LinkSessionTest, ThisProcessItselfIsRefused) {
  Side a(Named("a")), again(Named("a"));
  Connect(a, again);
  EXPECT_EQ(a.log.text + again.log.text, "");
  ASSERT_EQ(a.ended.size(), 1u);
  ASSERT_EQ(again.ended.size(), 1u);
  EXPECT_TRUE(a.ended[0].code() == absl::StatusCode::kAlreadyExists ||
              again.ended[0].code() == absl::StatusCode::kAlreadyExists);
}

TEST(LinkSessionTest, AnotherProcessOfTheSameNameIsRefusedWithTheReason) {
  WorkerInfo other = Named("a");
  other.instance = 1;  // Almost surely not the random one.
  Side a(Named("a")), b(other);
  Connect(a, b);
  EXPECT_EQ(a.log.text + b.log.text, "");
  ASSERT_EQ(a.ended.size(), 1u);
  ASSERT_EQ(b.ended.size(), 1u);
  const bool a_refused =
      a.ended[0].code() == absl::StatusCode::kFailedPrecondition;
  EXPECT_TRUE(a_refused ||
              b.ended[0].code() == absl::StatusCode::kFailedPrecondition);
  const std::string reason((a_refused ? a : b).ended[0].message());
  EXPECT_NE(reason.find("named \"a\""), std::string::npos) << reason;
}

TEST(LinkSessionTest, TheFirstFrameMustBeAHello) {
  Side a(Named("a"));
  auto link = std::make_shared<SilentLink>();
  a.session->Begin(link);
  a.session->OnFrame({ExpertRows{1, 0, 0}, {}});
  EXPECT_TRUE(link->closed);
  a.session->OnFrame({Named("b"), {}});  // Too late.
  a.session->OnClosed(absl::OkStatus());
  EXPECT_EQ(a.log.text, "");
  ASSERT_EQ(a.ended.size(), 1u);
  EXPECT_EQ(a.ended[0].code(), absl::StatusCode::kInvalidArgument);
}

// Sends at once when a link is announced, as an engine's thread may.
class Hasty final : public LinkEvents {
 public:
  void OnLinkUp(LinkId, const WorkerInfo&,
                std::shared_ptr<Link> link) override {
    link->Send({ExpertRows{1, 0, 0}, {}});
  }
  void OnLinkFrame(LinkId, Frame) override {}
  void OnLinkLeaving(LinkId, bool) override {}
  void OnLinkDown(LinkId, absl::Status) override {}
};

TEST(LinkSessionTest, TheHelloIsSentFirstEvenIfThePeersCameEarlier) {
  Hasty hasty;
  LinkSession session(Named("a"), hasty, nullptr);
  session.OnFrame({Named("b"), {}});  // Before Begin knows the link.
  auto link = std::make_shared<SilentLink>();
  session.Begin(link);
  ASSERT_EQ(link->sent.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<WorkerInfo>(link->sent[0].body));
  EXPECT_TRUE(std::holds_alternative<ExpertRows>(link->sent[1].body));
}

TEST(LinkSessionTest, ALinkThatEndsBeforeItIsUpIsNotAnnounced) {
  Side a(Named("a"));
  a.session->OnClosed(absl::UnavailableError("unreachable"));
  auto link = std::make_shared<SilentLink>();
  a.session->Begin(link);
  EXPECT_EQ(a.log.text, "");
  ASSERT_EQ(a.ended.size(), 1u);
  EXPECT_EQ(a.ended[0].code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace apollo
