#include "link/frame_stream.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/fake_clock.h"

namespace apollo {
namespace {

using Message = FrameStream::Message;

class Recorder final : public FrameHandler {
 public:
  void OnFrame(Frame frame) override { frames.push_back(std::move(frame)); }
  void OnPiece() override { ++pieces; }
  void OnWritable() override { ++writable; }
  void OnClosed(absl::Status status) override { closed = status; }
  std::vector<Frame> frames;
  int pieces = 0;
  int writable = 0;
  absl::Status closed;
};

// A stream between a handler and a reactor that only records its calls.
class FrameStreamTest : public testing::Test {
 protected:
  FrameStreamTest() {
    stream_.SetHandler(recorder_);
    // Most tests here are not about the first frame.
    EXPECT_TRUE(Receive(SmallFrame()).ok());
    recorder_->frames.clear();
  }

  static Frame SmallFrame() { return {ExpertRows{1, 0, 0}, {}}; }
  // Returns a frame of about a kilobyte.
  static Frame KilobyteFrame() {
    return {ExpertRows{1, 0, 0}, Rows::Host(250, 1)};
  }
  static LinkLimits Limits() {
    LinkLimits limits;
    limits.watermark_bytes = 4000;
    limits.queue_bytes = 10000;
    limits.unhandled_bytes = 3000;
    limits.first_frame_bytes = 500;
    return limits;
  }
  absl::Status Receive(const Frame& frame) {
    for (const Message& message : EncodeFrame(frame, received_)) {
      const absl::Status status = stream_.Received(message);
      if (!status.ok()) return status;
    }
    ++received_;
    return absl::OkStatus();
  }

  FakeClock clock_;
  std::shared_ptr<Recorder> recorder_ = std::make_shared<Recorder>();
  int writes_ = 0;
  int reads_ = 0;
  std::uint64_t received_ = 0;
  FrameStream stream_{[this](const Message*) { ++writes_; },
                      [this] { ++reads_; }, Limits(), clock_};
};

TEST_F(FrameStreamTest, ReportsToTheSenderWhenTheQueueIsLongAndShortAgain) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(stream_.HasRoom(), i < 4) << i;
    EXPECT_TRUE(stream_.Send(KilobyteFrame()).ok());
  }
  EXPECT_EQ(writes_, 1);  // One at a time.
  for (int left = 4; left > 2; --left) {
    EXPECT_EQ(recorder_->writable, 0) << left;
    EXPECT_FALSE(stream_.WriteDone(true));
  }
  EXPECT_FALSE(stream_.WriteDone(true));
  EXPECT_FALSE(stream_.WriteDone(true));
  EXPECT_EQ(recorder_->writable, 1);
  EXPECT_TRUE(stream_.HasRoom());
  EXPECT_TRUE(stream_.WriteDone(true));
  EXPECT_EQ(recorder_->writable, 1);
}

TEST_F(FrameStreamTest, EachPieceOfALargeFrameIsReported) {
  const Frame large = {ExpertRows{1, 0, 0}, Rows::Host(1 << 20, 1)};
  const int messages = static_cast<int>(EncodeFrame(large, received_).size());
  ASSERT_GE(messages, 4);
  EXPECT_TRUE(Receive(large).ok());
  EXPECT_EQ(recorder_->frames.size(), 1u);
  EXPECT_EQ(recorder_->pieces, messages - 1);
}

TEST_F(FrameStreamTest, AReportSaysHowManyMessagesHaveCome) {
  Message last;
  FrameStream stream([&](const Message* message) { last = *message; }, [] {},
                     Limits());
  const auto recorder = std::make_shared<Recorder>();
  stream.SetHandler(recorder);
  std::uint64_t messages = 0;
  std::uint64_t frames = 0;
  const auto receive = [&](const Frame& frame) {
    for (const Message& message : EncodeFrame(frame, frames)) {
      ASSERT_TRUE(stream.Received(message).ok());
      ++messages;
    }
    ++frames;
  };
  const auto report = [&] {
    EXPECT_TRUE(stream.Send({Progress{.regular = true}}).ok());
    EXPECT_TRUE(stream.WriteDone(true));
    return last.progress();
  };
  receive(SmallFrame());
  EXPECT_EQ(report().received(), 1u);
  receive({ExpertRows{1, 0, 0}, Rows::Host(1 << 20, 1)});
  EXPECT_GT(messages, 4u);
  EXPECT_EQ(report().received(), messages);
  // What waits now has not been lost.
  EXPECT_FALSE(stream.MayRead());
  EXPECT_FALSE(report().has_received());
  recorder->frames.clear();
  EXPECT_EQ(report().received(), messages);
}

TEST_F(FrameStreamTest, AFrameComesWithTheNumberOfMessagesSent) {
  EXPECT_TRUE(stream_.Send(SmallFrame()).ok());
  EXPECT_TRUE(stream_.Send({ExpertRows{1, 0, 0}, Rows::Host(1 << 20, 1)}).ok());
  EXPECT_TRUE(Receive({Progress{.regular = true, .received = 1}}).ok());
  const Frame& frame = recorder_->frames.back();
  EXPECT_GT(frame.sent, 4u);
  EXPECT_EQ(std::get<Progress>(frame.body).received, 1u);
}

TEST_F(FrameStreamTest, RoomIsNotReportedUnlessItWasMissing) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(stream_.Send(KilobyteFrame()).ok());
  }
  while (!stream_.WriteDone(true)) {
  }
  EXPECT_EQ(recorder_->writable, 0);
}

TEST_F(FrameStreamTest, AQueueBeyondItsBoundEndsTheLink) {
  absl::Status status;
  int sent = 0;
  while ((status = stream_.Send(KilobyteFrame())).ok()) ++sent;
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_GE(sent, 9);
  EXPECT_LE(sent, 10);
  stream_.Stop(status);
  stream_.WriteDone(false);
  stream_.Closed();
  EXPECT_EQ(recorder_->closed, status);
}

TEST_F(FrameStreamTest, APeerThatStopsReadingEndsTheLink) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(stream_.Send(KilobyteFrame()).ok());
  }
  clock_.now += Limits().stalled_after;
  stream_.WriteDone(true);  // It reads, but slowly.
  clock_.now += Limits().stalled_after;
  EXPECT_TRUE(stream_.Send(KilobyteFrame()).ok());
  clock_.now += absl::Seconds(1);
  const absl::Status status = stream_.Send(SmallFrame());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("31s"), std::string::npos) << status;
}

TEST_F(FrameStreamTest, AShortQueueMayWaitLong) {
  EXPECT_TRUE(stream_.Send(KilobyteFrame()).ok());
  clock_.now += absl::Hours(1);
  EXPECT_TRUE(stream_.Send(KilobyteFrame()).ok());
}

TEST_F(FrameStreamTest, ReadingPausesWhileTooMuchIsUnhandled) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(stream_.MayRead()) << i;
    EXPECT_TRUE(Receive(KilobyteFrame()).ok());
  }
  EXPECT_FALSE(stream_.MayRead());
  recorder_->frames.pop_back();
  EXPECT_EQ(reads_, 0);
  // Data taken out of a frame counts only as long as the frame.
  const auto payload = std::move(recorder_->frames.back().payload);
  recorder_->frames.pop_back();
  EXPECT_EQ(reads_, 1);
  EXPECT_TRUE(stream_.MayRead());
}

TEST_F(FrameStreamTest, FramesMayOutliveTheirStream) {
  std::vector<Frame> frames;
  {
    FrameStream stream([](const Message*) {},
                       [] { FAIL() << "reads after its destruction"; },
                       Limits());
    const auto recorder = std::make_shared<Recorder>();
    stream.SetHandler(recorder);
    for (const Message& message : EncodeFrame(SmallFrame(), 0)) {
      ASSERT_TRUE(stream.Received(message).ok());
    }
    for (int i = 1; stream.MayRead(); ++i) {
      for (const Message& message : EncodeFrame(KilobyteFrame(), i)) {
        ASSERT_TRUE(stream.Received(message).ok());
      }
    }
    frames = std::move(recorder->frames);
  }
  frames.clear();
}

TEST_F(FrameStreamTest, TheFirstFrameOfAPeerIsBounded) {
  const auto first = [](const Message& message) {
    FrameStream stream([](const Message*) {}, [] {}, Limits());
    return stream.Received(message);
  };
  EXPECT_TRUE(first(EncodeFrame(SmallFrame(), 0)[0]).ok());
  const absl::Status large = first(EncodeFrame(KilobyteFrame(), 0)[0]);
  EXPECT_EQ(large.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(large.message().find("at most 500"), std::string::npos) << large;
  // A frame that only announces a large payload.
  Message announcing = EncodeFrame(SmallFrame(), 0)[0];
  announcing.set_payload_bytes(1000);
  EXPECT_EQ(first(announcing).code(), absl::StatusCode::kInvalidArgument);
  WorkerInfo hello;
  hello.name = std::string(1000, 'x');
  EXPECT_EQ(first(EncodeFrame({hello, {}}, 0)[0]).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace apollo
