// One end of a device path against a peer that breaks the rules, does not
// answer, or knows nothing of such paths.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/rows_testing.h"
#include "link/in_process_link.h"
#include "link/nccl/nccl_pair.h"

namespace apollo {
namespace {

const DeviceTransport kPeer{22809, "host", "fake-1", false};

// A link whose peer is the test: it sends frames by `peer`, and finds those
// that come to it in `at_peer`.
class Half {
 public:
  explicit Half(NcclLimits limits = {}) {
    NcclLinkOptions options;
    options.api = nccl.Api();
    options.device = nccl.NewDevice(0);
    options.transport = {22809, "host", "fake-0", false};
    options.nccl_limits = limits;
    options.clock = &clock;
    link = std::make_shared<NcclLink>(options);
    link->SetHandler(at_link);
    const auto [first, second] = MakeInProcessLink(link, at_peer);
    peer = second;
    link->SetCarrier(first);
    link->Send({WorkerInfo{}});
    link->Send({Progress{}});
  }
  ~Half() {
    peer->Close();
    at_link->StopKeeping();
    at_peer->StopKeeping();
    link->Stop();
    link->Join();
    EXPECT_EQ(nccl.violations(), 0);
  }

  void SayHello(const DeviceTransport& transport = kPeer) {
    WorkerInfo info;
    info.device_transport = transport;
    peer->Send({info});
  }
  // Waits for the first frame of this kind that has come to the peer.
  template <typename Body>
  Body WaitFor() {
    for (std::size_t count = 1;; ++count) {
      const auto frames = at_peer->WaitForFrames(count);
      if (frames.size() < count) {
        ADD_FAILURE() << "the link closed: " << at_link->WaitForClosed();
        return {};
      }
      for (const Frame& frame : frames) {
        if (const Body* body = std::get_if<Body>(&frame.body)) return *body;
      }
    }
  }
  void SendRows(std::uint64_t ticket) {
    UploadingLink(link, {Device::Kind::kCuda, 0})
        .Send({ExpertRows{ticket, 0, 0}, Rows::FromVector({1, 2}, 2)});
  }
  void ExpectFailure(absl::StatusCode code, const std::string& part) {
    const absl::Status status = at_link->WaitForClosed();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_NE(status.message().find(part), std::string::npos) << status;
  }
  void LeaveCommunicator() {
    if (comm != nullptr) nccl.Api()->abort(comm);
    comm = nullptr;
  }

  SharedClock clock;
  FakeNccl nccl;
  NcclComm* comm = nullptr;
  std::shared_ptr<Recorder> at_link = std::make_shared<Recorder>();
  std::shared_ptr<Recorder> at_peer = std::make_shared<Recorder>();
  std::shared_ptr<NcclLink> link;
  std::shared_ptr<Link> peer;
};

TEST(NcclProtocolTest, APeerOfBeforeHearsNothingOfPaths) {
  Half half;
  half.SayHello({});
  half.SendRows(7);
  const auto frames = half.at_peer->WaitForFrames(3);
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<WorkerInfo>(frames[0].body));
  EXPECT_TRUE(std::holds_alternative<Progress>(frames[1].body));
  EXPECT_EQ(std::get<ExpertRows>(frames[2].body).ticket, 7u);
  EXPECT_EQ(Numbers(frames[2].payload), (std::vector<float>{1, 2}));
}

TEST(NcclProtocolTest, APathFromAPeerThatCannotIsRefused) {
  Half half;
  half.SayHello({23203, "host", "fake-1", false});
  half.peer->Send({DeviceOpen{1, {}}});
  const auto ended = half.WaitFor<DeviceEnded>();
  EXPECT_EQ(ended.epoch, 1u);
  EXPECT_NE(ended.reason.find("2.32.3"), std::string::npos) << ended.reason;
}

struct Breach {
  const char* name;
  std::vector<std::function<void(Half&)>> steps;
  const char* error;
};

template <typename Body>
std::function<void(Half&)> Say(Body body) {
  return [body](Half& half) { half.peer->Send({body}); };
}

class BreachTest : public testing::TestWithParam<Breach> {};

TEST_P(BreachTest, EndsTheLink) {
  Half half;
  half.SayHello();
  half.WaitFor<DeviceOpen>();
  for (const auto& step : GetParam().steps) step(half);
  half.ExpectFailure(absl::StatusCode::kInvalidArgument, GetParam().error);
}

const auto kRows = [](Half& half) {
  half.peer->Send({ExpertRows{}, Rows::FromVector({1, 2}, 2)});
};

INSTANTIATE_TEST_SUITE_P(
    All, BreachTest,
    testing::Values(
        Breach{"TwoPayloads",
               {Say(DevicePayload{1, 0, 1, 2}), Say(DevicePayload{1, 1, 1, 2})},
               "two payloads"},
        Breach{"TwicePayload",
               {Say(DevicePayload{1, 0, 1, 2}), kRows},
               "inline and another"},
        Breach{"PayloadWithoutPath",
               {Say(DevicePayload{1, 0, 1, 2}), Say(ExpertRows{})},
               "payload 0 of device path 1 came"},
        Breach{"ResendOfNothing", {Say(DeviceResend{0, 0})}, "not missing"},
        Breach{"EarlierEpoch", {Say(DeviceOpen{0, {}})}, "opens device path 0"},
        Breach{"OtherFailure", {Say(DeviceFailed{3, ""})}, "device path 3"},
        Breach{"TooMuchReceived",
               {Say(DeviceCredit{1, 1 << 20, 1, 0})},
               "1 payloads came"},
        Breach{"TooMuchFreed",
               {Say(DeviceCredit{1, 1 << 20, 0, 1})},
               "1 bytes are free"},
        Breach{"NoRing", {Say(DeviceCredit{1, 100, 0, 0})}, "100 bytes"},
        Breach{"TooMuchAtTheEnd", {Say(DeviceEnded{1, 1, ""})}, "1 payloads"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(NcclProtocolTest, PayloadsThatCannotBePlacedEndTheLink) {
  for (const DevicePayload& wrong :
       {DevicePayload{1, 0, 1, 1 << 20}, DevicePayload{1, 0, 0, 5},
        DevicePayload{1, 1, 1, 2}, DevicePayload{2, 0, 1, 2}}) {
    NcclLimits limits;
    limits.ring_bytes = 1 << 20;
    Half half(limits);
    half.SayHello();
    DeviceOpen open{1, {}};
    half.nccl.Api()->get_unique_id(&open.id);
    half.nccl.Api()->init_rank(&half.comm, open.id, 0, 1);
    half.peer->Send({open});
    half.WaitFor<DeviceCredit>();
    half.peer->Send({wrong});
    half.peer->Send({ExpertRows{}});
    half.ExpectFailure(absl::StatusCode::kInvalidArgument, "payload");
    half.LeaveCommunicator();
  }
}

TEST(NcclProtocolTest, APathThatDoesNotOpenIsGivenUp) {
  Half half;
  half.SayHello();
  const auto open = half.WaitFor<DeviceOpen>();
  half.clock.Pass(absl::Seconds(16));
  half.link->Watch();
  const auto failed = half.WaitFor<DeviceFailed>();
  EXPECT_EQ(failed.epoch, open.epoch);
  half.peer->Send({DeviceEnded{open.epoch, 0, ""}});
  half.SendRows(1);
  half.WaitFor<ExpertRows>();
  EXPECT_EQ(half.at_link->times_closed(), 0u);
}

TEST(NcclProtocolTest, APeerThatDoesNotSayWhatItReceivedEndsTheLink) {
  Half half;
  half.SayHello();
  half.WaitFor<DeviceOpen>();
  half.clock.Pass(absl::Seconds(16));
  half.link->Watch();
  half.WaitFor<DeviceFailed>();
  half.clock.Pass(absl::Seconds(6));
  half.link->Watch();
  half.ExpectFailure(absl::StatusCode::kDeadlineExceeded,
                     "did not say within 5s what it received");
}

TEST(NcclProtocolTest, APeerThatSendsNothingAgainEndsTheLink) {
  Half half;
  half.SayHello({23203, "host", "fake-1", false});
  half.peer->Send({DeviceOpen{1, {}}});  // Refused.
  half.WaitFor<DeviceEnded>();
  half.peer->Send({DevicePayload{1, 0, 1, 2}});
  half.peer->Send({ExpertRows{}});
  half.peer->Send({DevicePayload{1, 1, 1, 2}});
  half.peer->Send({ExpertRows{}});
  half.peer->Send({DeviceResend{1, 0}, Rows::FromVector({1, 2}, 2)});
  EXPECT_EQ(half.at_link->WaitForFrames(2).size(), 2u);  // The hello, too.
  half.clock.Pass(absl::Seconds(6));
  half.link->Watch();
  half.ExpectFailure(absl::StatusCode::kDeadlineExceeded, "send what was");
}

}  // namespace
}  // namespace apollo
