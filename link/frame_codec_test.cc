#include "link/frame_codec.h"

#include <gtest/gtest.h>

#include "common/rows_testing.h"
#include "link/limits.h"

namespace apollo {
namespace {

using Message = internal::v1::LinkMessage;

Frame WithPayload(std::size_t floats) {
  return {ExpertRows{7, 1, 2},
          Rows::FromVector(std::vector<float>(floats, 1.5f), 1)};
}

absl::StatusCode CodeOf(const Message& message) {
  return FrameDecoder().Add(message).status().code();
}

TEST(FrameCodecTest, PiecesAreAtMostOneMegabyteAndAreAssembled) {
  constexpr std::size_t kPiece = kMaxPieceBytes / sizeof(float);
  for (const auto& [floats, pieces] : std::map<std::size_t, std::size_t>{
           {0, 1}, {1, 1}, {kPiece, 1}, {kPiece + 1, 2}, {3 * kPiece, 3}}) {
    const auto messages = EncodeFrame(WithPayload(floats), 0);
    ASSERT_EQ(messages.size(), pieces) << floats;
    FrameDecoder decoder;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      EXPECT_LE(messages[i].payload().size(), kMaxPieceBytes);
      const auto frame = decoder.Add(messages[i]);
      ASSERT_TRUE(frame.ok()) << frame.status();
      ASSERT_EQ(frame->has_value(), i + 1 == messages.size());
      if (*frame) {
        EXPECT_EQ(Numbers((*frame)->payload), std::vector<float>(floats, 1.5f));
      }
    }
  }
}

TEST(FrameCodecTest, DuplicatesAreDropped) {
  FrameDecoder decoder;
  const auto first = EncodeFrame(WithPayload(kMaxPieceBytes / 4 + 1), 0);
  const auto second = EncodeFrame(WithPayload(1), 1);
  EXPECT_FALSE(decoder.Add(first[0])->has_value());
  EXPECT_TRUE(decoder.Add(first[1])->has_value());
  for (const Message& again : first) {
    const auto frame = decoder.Add(again);
    ASSERT_TRUE(frame.ok());
    EXPECT_FALSE(frame->has_value());
  }
  EXPECT_TRUE(decoder.Add(second[0])->has_value());
}

TEST(FrameCodecTest, PiecesAreTakenOnceAndInOrder) {
  const auto pieces = EncodeFrame(WithPayload(kMaxPieceBytes / 2 + 1), 0);
  ASSERT_EQ(pieces.size(), 3u);
  FrameDecoder twice;
  ASSERT_TRUE(twice.Add(pieces[0]).ok());
  for (int i = 0; i < 2; ++i) {
    const auto frame = twice.Add(pieces[1]);
    ASSERT_TRUE(frame.ok());
    EXPECT_FALSE(frame->has_value()) << i;
  }
  EXPECT_TRUE(twice.Add(pieces[2])->has_value());

  FrameDecoder gap;
  ASSERT_TRUE(gap.Add(pieces[0]).ok());
  EXPECT_EQ(gap.Add(pieces[2]).status().code(), absl::StatusCode::kDataLoss);

  // Older workers do not say where a piece belongs.
  FrameDecoder old;
  for (Message piece : pieces) {
    if (piece.has_continuation()) piece.mutable_continuation()->clear_offset();
    ASSERT_TRUE(old.Add(piece).ok());
  }
}

TEST(FrameCodecTest, MissingFramesAreDataLoss) {
  EXPECT_EQ(CodeOf(EncodeFrame(WithPayload(1), 1)[0]),
            absl::StatusCode::kDataLoss);
  // A frame that restarts before it is complete.
  FrameDecoder decoder;
  const Message begin = EncodeFrame(WithPayload(kMaxPieceBytes / 4 + 1), 0)[0];
  ASSERT_TRUE(decoder.Add(begin).ok());
  EXPECT_EQ(decoder.Add(begin).status().code(), absl::StatusCode::kDataLoss);
}

TEST(FrameCodecTest, InvalidMessagesAreRefused) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  Message no_body;
  EXPECT_EQ(CodeOf(no_body), kInvalid);

  Message continuation;
  continuation.mutable_continuation();
  EXPECT_EQ(CodeOf(continuation), kInvalid);

  Message message = EncodeFrame(WithPayload(2), 0)[0];
  message.set_payload_bytes(6);  // Not a multiple of 4 bytes.
  EXPECT_EQ(CodeOf(message), kInvalid);
  message.set_payload_bytes(4);  // Less than is sent.
  EXPECT_EQ(CodeOf(message), kInvalid);
  message.set_payload_bytes(kMaxPayloadBytes + 4);
  EXPECT_EQ(CodeOf(message), kInvalid);
  message.set_payload_bytes(~std::uint64_t{3});
  EXPECT_EQ(CodeOf(message), kInvalid);

  // The excess is in a later piece.
  FrameDecoder decoder;
  auto pieces = EncodeFrame(WithPayload(kMaxPieceBytes / 4 + 1), 0);
  ASSERT_TRUE(decoder.Add(pieces[0]).ok());
  pieces[1].set_payload("12345");
  EXPECT_EQ(decoder.Add(pieces[1]).status().code(), kInvalid);
}

// Stages take rows of these types only: others must not get as far as them.
TEST(FrameCodecTest, DevicePayloadsThatNoStageTakesAreRefused) {
  for (const RowType type : {RowType::kF32, RowType::kBf16}) {
    const auto frame = FrameDecoder().Add(
        EncodeFrame({DevicePayload{1, 0, 2, 64, type}, {}}, 0)[0]);
    ASSERT_TRUE(frame.ok() && frame->has_value()) << frame.status();
    EXPECT_EQ(std::get<DevicePayload>((*frame)->body).type, type);
  }
  EXPECT_EQ(CodeOf(EncodeFrame({DevicePayload{1, 0, 2, 64, RowType::kF16}, {}},
                               0)[0]),
            absl::StatusCode::kInvalidArgument);
}

TEST(FrameCodecTest, AStepOfLongHeldBeginningsFitsIntoAMessage) {
  StageStep step;
  for (std::uint64_t i = 0; i < 64; ++i) {  // The default --max_running.
    SequenceRows& rows = step.sequences.emplace_back();
    rows.sequence = i;
    rows.first_position = 131072 - 16;
    rows.tokens.resize(8);
    rows.start.emplace();
    rows.block_hashes.resize(131072 / 16);
  }
  const auto messages = EncodeFrame(
      {step, Rows::FromVector(std::vector<float>(kMaxPieceBytes, 1.f), 1)}, 0);
  for (const Message& message : messages) {
    EXPECT_LE(message.ByteSizeLong(), std::size_t{kMaxLinkMessageBytes});
  }
}

TEST(FrameCodecTest, HashesOfBlocksAreWhole) {
  SequenceRows rows;
  rows.block_hashes.resize(2);
  Message message = EncodeFrame({StageStep{1, {rows}}, {}}, 0)[0];
  EXPECT_TRUE(FrameDecoder().Add(message).ok());
  message.mutable_step()->mutable_sequences(0)->set_block_hashes(
      "seventeen bytes..");
  EXPECT_EQ(CodeOf(message), absl::StatusCode::kInvalidArgument);
}

TEST(FrameCodecTest, AnUnknownErrorCodeIsStillAnError) {
  Message message = EncodeFrame({ExpertOutputs{1, {}}, {}}, 0)[0];
  message.mutable_outputs()->set_error_code(12345);
  const auto frame = FrameDecoder().Add(message);
  ASSERT_TRUE(frame.ok() && frame->has_value());
  EXPECT_FALSE(std::get<ExpertOutputs>((*frame)->body).status.ok());
}

}  // namespace
}  // namespace apollo
