// Links with workers of the previous wire version, 0. The test keeps its
// original bytes.
#include "link/previous_wire.h"

#include <gtest/gtest.h>

#include <string>

#include "link/frame_codec.h"
#include "link/link_session.h"

namespace apollo {
namespace {

// hello { role: EXPERT name: "e-1" model_hash: "abc+int8" version: "0.1.0"
//         experts: [0, 3, 300] cache_tokens: 16384
//         instance: 9223372036854775809 }
constexpr unsigned char kHello[] = {
    0x0a, 0x2d, 0x08, 0x02, 0x12, 0x03, 0x65, 0x2d, 0x31, 0x1a, 0x08, 0x61,
    0x62, 0x63, 0x2b, 0x69, 0x6e, 0x74, 0x38, 0x22, 0x05, 0x30, 0x2e, 0x31,
    0x2e, 0x30, 0x2a, 0x04, 0x00, 0x03, 0xac, 0x02, 0x30, 0x80, 0x80, 0x01,
    0x38, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
// reach { experts: [0, 1, 300] } frame: 1
constexpr unsigned char kReach[] = {0x40, 0x01, 0x5a, 0x06, 0x0a,
                                    0x04, 0x00, 0x01, 0xac, 0x02};

template <std::size_t n>
Frame Decoded(const unsigned char (&bytes)[n], FrameDecoder& decoder) {
  internal::v1::LinkMessage message;
  EXPECT_TRUE(message.ParseFromArray(bytes, n));
  auto frame = decoder.Add(message);
  EXPECT_TRUE(frame.ok() && frame->has_value());
  return **std::move(frame);
}

class Recorder final : public LinkEvents {
 public:
  void OnLinkUp(LinkId, const WorkerInfo& peer,
                std::shared_ptr<Link> link) override {
    this->peer = peer;
    this->link = std::move(link);
  }
  void OnLinkFrame(LinkId, Frame frame) override {
    frames.push_back(std::move(frame));
  }
  void OnLinkLeaving(LinkId, bool) override {}
  void OnLinkDown(LinkId, absl::Status) override {}
  std::optional<WorkerInfo> peer;
  std::shared_ptr<Link> link;
  std::vector<Frame> frames;
};

class SentFrames final : public Link {
 public:
  void Send(Frame frame) override { sent.push_back(std::move(frame)); }
  void Close() override { closed = true; }
  std::vector<Frame> sent;
  bool closed = false;
};

WorkerInfo Self(WorkerRole role) {
  WorkerInfo self;
  self.role = role;
  self.name = "me";
  self.model_hash = "abc+int8";
  return self;
}

TEST(PreviousWireTest, APeersHelloIsUnderstood) {
  FrameDecoder decoder;
  const Frame frame = Decoded(kHello, decoder);
  WorkerInfo hello;
  hello.role = WorkerRole::kExpert;
  hello.name = "e-1";
  hello.model_hash = "abc+int8";
  hello.version = "0.1.0";
  hello.resident = std::set<int>{0, 3, 300};
  hello.cache_tokens = 16384;
  hello.instance = 9223372036854775809u;
  hello.wire_version = 0;
  hello.oldest_wire_version = 0;
  hello.sequence_options = 0;
  hello.takes_parts = false;
  EXPECT_TRUE(std::get<WorkerInfo>(frame.body) == hello);
}

// Messages of this version contain the fields of the previous one.
TEST(PreviousWireTest, TheCurrentHelloContainsTheOldOne) {
  internal::v1::LinkMessage old;
  ASSERT_TRUE(old.ParseFromArray(kHello, sizeof(kHello)));
  FrameDecoder decoder;
  WorkerInfo info = std::get<WorkerInfo>(Decoded(kHello, decoder).body);
  info.wire_version = kWireVersion;
  info.numerics = "cpu/int8/f16/1";
  info.ready = true;
  info.sequence_options = kSequenceOptions;
  internal::v1::LinkMessage today = EncodeFrame({info}, 0)[0];
  today.mutable_info()->clear_wire_version();
  today.mutable_info()->clear_numerics();
  today.mutable_info()->clear_ready();
  today.mutable_info()->clear_sequence_options();
  EXPECT_EQ(today.SerializeAsString(), old.SerializeAsString());
}

TEST(PreviousWireTest, APeersReachBecomesAWorkerInfo) {
  Recorder recorder;
  LinkSession session(Self(WorkerRole::kDense), recorder, nullptr);
  const auto link = std::make_shared<SentFrames>();
  session.Begin(link);
  FrameDecoder decoder;
  session.OnFrame(Decoded(kHello, decoder));
  ASSERT_TRUE(recorder.peer.has_value());
  EXPECT_FALSE(recorder.peer->ready);
  session.OnFrame(Decoded(kReach, decoder));
  session.OnFrame({Reach{}});
  ASSERT_EQ(recorder.frames.size(), 2u);
  const auto& first = std::get<WorkerInfo>(recorder.frames[0].body);
  EXPECT_EQ(first.name, "e-1");
  EXPECT_EQ(first.resident.everywhere, (std::set<int>{0, 3, 300}));
  EXPECT_EQ(first.reaches.everywhere, (std::set<int>{0, 1, 300}));
  EXPECT_TRUE(first.ready);
  EXPECT_FALSE(first.draining);
  const auto& second = std::get<WorkerInfo>(recorder.frames[1].body);
  EXPECT_TRUE(second.draining);
  EXPECT_GT(second.revision, first.revision);
  EXPECT_FALSE(link->closed);
}

// Frames that a worker of this version sends to one of the previous version
// after its hello.
std::vector<Reach> Sent(WorkerRole peer, bool draining) {
  const auto link = std::make_shared<SentFrames>();
  WorkerInfo info = Self(WorkerRole::kExpert);
  info.resident = std::set<int>{0, 3};
  info.reaches = std::set<int>{0, 1, 3};
  info.draining = draining;
  MakePreviousWireLink(link, peer)->Send({info});
  std::vector<Reach> sent;
  for (const Frame& frame : link->sent) {
    sent.push_back(std::get<Reach>(frame.body));
  }
  return sent;
}

TEST(PreviousWireTest, APeerGetsWhatItUnderstands) {
  using List = std::vector<Reach>;
  EXPECT_TRUE(Sent(WorkerRole::kDense, false) == (List{{{0, 1, 3}}}));
  EXPECT_TRUE(Sent(WorkerRole::kDense, true) == List{{}});
  EXPECT_TRUE(Sent(WorkerRole::kExpert, false) == (List{{{0, 3}}}));
  // Its rows are computed until its sequences have ended.
  EXPECT_TRUE(Sent(WorkerRole::kExpert, true) == (List{{{0, 3}}}));
}

TEST(PreviousWireTest, APeerGetsNothingUnknownToIt) {
  const auto link = std::make_shared<SentFrames>();
  const auto previous = MakePreviousWireLink(link, WorkerRole::kDense);
  previous->Send({Progress{}});
  previous->Send({Self(WorkerRole::kDense)});
  EXPECT_TRUE(link->sent.empty());
  previous->Send({StageResult{}});
  EXPECT_EQ(link->sent.size(), 1u);
}

TEST(PreviousWireTest, OnlyCommonVersionsAreAccepted) {
  struct Case {
    int oldest, newest;
    bool accepted;
  };
  for (const Case& c : {Case{0, 0, true}, Case{0, 1, true}, Case{1, 2, true},
                        Case{2, 3, false}, Case{5, 5, false}}) {
    Recorder recorder;
    absl::Status ended;
    LinkSession session(
        Self(WorkerRole::kDense), recorder,
        [&ended](absl::Status status, const std::string&) { ended = status; });
    const auto link = std::make_shared<SentFrames>();
    session.Begin(link);
    WorkerInfo peer = Self(WorkerRole::kExpert);
    peer.name = "other";
    peer.oldest_wire_version = c.oldest;
    peer.wire_version = c.newest;
    session.OnFrame({peer});
    EXPECT_EQ(recorder.peer.has_value(), c.accepted) << c.newest;
    EXPECT_EQ(link->closed, !c.accepted) << c.newest;
    if (c.accepted) continue;
    session.OnClosed(absl::OkStatus());
    EXPECT_EQ(ended.code(), absl::StatusCode::kFailedPrecondition);
    const std::string reason(ended.message());
    EXPECT_NE(
        reason.find("\"other\" speaks versions " + std::to_string(c.oldest)),
        std::string::npos)
        << reason;
    EXPECT_NE(reason.find("this one 0 to 1"), std::string::npos) << reason;
  }
}

}  // namespace
}  // namespace apollo
