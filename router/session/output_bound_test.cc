// A call whose client does not read: its sequences pause, resume, or end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "router/session/session_fixture.h"

namespace apollo {
namespace {

class OutputBoundTest : public SessionTest {
 protected:
  OutputBoundTest() {
    SetLimits(
        {.output_bytes = 10, .stalled_client_timeout = absl::Seconds(60)});
    GenerateInput input = Prompt("x");
    input.choices = 2;
    writer_.reading = false;
    session_ = Generate(input, writer_);
    Sequence(0).Started();
  }

  // Makes the client read until `left` bytes are unsent.
  void ReadTo(std::size_t left) {
    writer_.unsent_bytes = left;
    session_->OnSent();
  }
  bool Paused() {
    EXPECT_EQ(Sequence(0).paused(), Sequence(1).paused());
    return Sequence(0).paused();
  }
  // Emits tokens of both sequences, 10 bytes in all.
  void Fill() {
    Sequence(0).Say("12345");
    Sequence(1).Say("12345");
  }

  KeepingGenerateWriter writer_;
  std::shared_ptr<GenerateSession> session_;
};

TEST_F(OutputBoundTest, AllSequencesPauseWhenItIsReached) {
  Sequence(0).Say("12345");
  Sequence(1).Say("1234");
  EXPECT_FALSE(Paused());
  Sequence(1).Say("5");
  EXPECT_TRUE(Paused());
  EXPECT_FALSE(writer_.ended.has_value());
}

TEST_F(OutputBoundTest, TheyGoOnBelowHalfOfIt) {
  Fill();
  ReadTo(6);
  EXPECT_TRUE(Paused());
  ReadTo(5);
  EXPECT_FALSE(Paused());
  Fill();
  EXPECT_TRUE(Paused());
}

TEST_F(OutputBoundTest, TokensOnTheirWayAreKept) {
  Fill();
  Sequence(0).Say("67");
  EXPECT_EQ(writer_.Text(0), "1234567");
  EXPECT_FALSE(writer_.aborted.has_value());
}

TEST_F(OutputBoundTest, AStalledClientEndsAfterTheTimeout) {
  Fill();
  clock_.now += absl::Seconds(60) - absl::Nanoseconds(1);
  calls_->Tick();
  EXPECT_FALSE(writer_.aborted.has_value());
  clock_.now += absl::Nanoseconds(1);
  calls_->Tick();
  ASSERT_TRUE(writer_.aborted.has_value());
  EXPECT_EQ(writer_.aborted->code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Sequence(0).cancelled());
  EXPECT_TRUE(Sequence(1).cancelled());
  session_->Close();
  EXPECT_THAT(Metrics(), testing::HasSubstr("code=\"RESOURCE_EXHAUSTED\""));
}

TEST_F(OutputBoundTest, AClientThatReadsAtAllIsNotStalled) {
  Fill();
  clock_.now += absl::Seconds(59);
  ReadTo(9);
  clock_.now += absl::Seconds(59);
  calls_->Tick();
  EXPECT_FALSE(writer_.aborted.has_value());
  clock_.now += absl::Seconds(1);
  calls_->Tick();
  EXPECT_TRUE(writer_.aborted.has_value());
}

TEST_F(OutputBoundTest, BelowTheBoundThereIsNoTimeout) {
  Sequence(0).Say("1");
  clock_.now += absl::Hours(1);
  calls_->Tick();
  EXPECT_FALSE(writer_.aborted.has_value());
}

TEST_F(OutputBoundTest, AnAnswerWhoseEndIsNotReadIsFreedToo) {
  Sequence(0).Finish(FinishCause::kEos);
  Sequence(1).Finish(FinishCause::kEos);
  ASSERT_TRUE(writer_.ended.has_value());
  clock_.now += absl::Seconds(60);
  calls_->Tick();
  ASSERT_TRUE(writer_.aborted.has_value());
  session_->Close();
  EXPECT_THAT(Metrics(), testing::HasSubstr("code=\"RESOURCE_EXHAUSTED\""));
}

TEST_F(OutputBoundTest, AFailureStaysTheOutcomeOfAStalledCall) {
  Sequence(0).Finish(absl::InternalError("broken"));
  clock_.now += absl::Seconds(60);
  calls_->Tick();
  ASSERT_TRUE(writer_.aborted.has_value());
  EXPECT_EQ(*writer_.aborted, absl::InternalError("broken"));
}

// The backend ignores the pause.
TEST_F(OutputBoundTest, MuchMoreThanTheBoundEndsTheCall) {
  writer_.bytes_per_character = 100'000;
  Sequence(0).Say(std::string(100, 'x'));
  ASSERT_TRUE(writer_.aborted.has_value());
  EXPECT_EQ(writer_.aborted->code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LE(writer_.unsent_bytes, std::size_t{2} << 20);
  EXPECT_TRUE(Sequence(0).cancelled());
}

TEST_F(OutputBoundTest, ASequenceThatStartsLateIsPausedToo) {
  // The first sequence emits a lot at once, before the second is started.
  backend_->Play(
      [](ScriptedSequence& s) {
        s.Started();
        s.Say("1234567890");
      },
      ScriptedBackend::Where::kCaller);
  KeepingGenerateWriter writer;
  writer.reading = false;
  GenerateInput input = Prompt("x");
  input.choices = 2;
  const auto session = Generate(input, writer);
  EXPECT_TRUE(Sequence(2).paused());
  EXPECT_TRUE(Sequence(3).paused());
}

// A step may bring many log-probabilities of a prompt at once. A client that
// reads gets them all, whatever the bound is.
TEST_F(OutputBoundTest, ALargePieceOfThePromptPausesButDoesNotEnd) {
  KeepingGenerateWriter writer;
  writer.reading = false;
  writer.bytes_per_character = 8 << 20;
  GenerateInput input = Prompt("four");
  input.wants_prompt_logprobs = true;
  const auto session = Generate(input, writer);
  ScriptedSequence& sequence = *backend_->sequences().back();
  sequence.Started();
  sequence.Prompt({1, {{8, -1, {}}, {8, -1, {}}, {8, -1, {}}}});
  EXPECT_TRUE(sequence.paused());
  writer.bytes_per_character = 1;
  sequence.Say("a");  // Was in flight.
  EXPECT_FALSE(writer.aborted.has_value());
  writer.unsent_bytes = 0;
  session->OnSent();
  EXPECT_FALSE(sequence.paused());
  sequence.Finish(FinishCause::kEos);
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_TRUE(writer.ended->ok()) << *writer.ended;
}

}  // namespace
}  // namespace apollo
