#include "clients/cpp/answer_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace apollo::clients {
namespace {

using testing::ElementsAre;

v1::GenerateResponse Started(std::uint64_t seed) {
  v1::GenerateResponse event;
  event.mutable_started()->set_seed(seed);
  return event;
}

v1::GenerateResponse Logprobs(std::uint32_t index, int tokens) {
  v1::GenerateResponse event;
  event.mutable_prompt_logprobs()->set_index(index);
  for (int i = 0; i < tokens; ++i) {
    const int position = static_cast<int>(index) + i;
    event.mutable_prompt_logprobs()->add_token_ids(position);
    event.mutable_prompt_logprobs()->add_logprobs()->set_logprob(
        static_cast<float>(-position));
  }
  return event;
}

// The end of a text, as it comes without tokens.
v1::GenerateResponse Text(std::uint32_t index, const std::string& text) {
  v1::GenerateResponse event;
  event.mutable_delta()->set_index(index);
  event.mutable_delta()->set_text(text);
  return event;
}

v1::GenerateResponse Token(std::uint32_t index) {
  v1::GenerateResponse event;
  event.mutable_delta()->set_index(index);
  event.mutable_delta()->add_token_ids(7);
  return event;
}

// Returns whether the event is new.
bool Takes(AnswerRecord& record, v1::GenerateResponse event) {
  const auto fresh = record.Take(&event);
  EXPECT_TRUE(fresh.ok()) << fresh.status();
  return fresh.ok() && *fresh;
}

TEST(AnswerRecordTest, PiecesOfThePromptAreCutToWhatIsNew) {
  AnswerRecord record({});
  EXPECT_TRUE(Takes(record, Started(1)));
  EXPECT_TRUE(Takes(record, Logprobs(1, 3)));
  EXPECT_FALSE(Takes(record, Started(1)));
  EXPECT_FALSE(Takes(record, Logprobs(1, 2)));
  v1::GenerateResponse event = Logprobs(3, 3);
  EXPECT_TRUE(*record.Take(&event));
  EXPECT_EQ(event.prompt_logprobs().index(), 4u);
  EXPECT_THAT(event.prompt_logprobs().token_ids(), ElementsAre(4, 5));
  ASSERT_EQ(event.prompt_logprobs().logprobs_size(), 2);
  EXPECT_EQ(event.prompt_logprobs().logprobs(0).logprob(), -4);
  EXPECT_TRUE(Takes(record, Logprobs(6, 1)));
}

TEST(AnswerRecordTest, AWrongEventChangesNothing) {
  AnswerRecord record({});
  v1::GenerateResponse token = Token(0);
  EXPECT_EQ(record.Take(&token).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(Takes(record, Started(1)));
  EXPECT_TRUE(Takes(record, Token(0)));
  for (const std::uint32_t index : {0u, 2u}) {
    token = Token(index);
    EXPECT_EQ(record.Take(&token).status().code(), absl::StatusCode::kDataLoss);
  }
  token = Token(1);
  token.mutable_delta()->set_choice(1);  // The request wants one.
  EXPECT_FALSE(record.Take(&token).ok());
  EXPECT_THAT(record.NextRequest().resume().choices(0).token_ids(),
              ElementsAre(7));
}

TEST(AnswerRecordTest, AResumedAnswerIsContinued) {
  v1::GenerateRequest request;
  request.mutable_resume()->set_seed(5);
  request.mutable_resume()->add_choices()->add_token_ids(3);
  AnswerRecord record(request);
  EXPECT_EQ(record.NextRequest().resume().choices_size(), 1);
  EXPECT_TRUE(Takes(record, Started(5)));
  EXPECT_TRUE(Takes(record, Token(1)));
  EXPECT_THAT(record.NextRequest().resume().choices(0).token_ids(),
              ElementsAre(3, 7));
  EXPECT_FALSE(record.complete());
}

TEST(AnswerRecordTest, AnAnswerIsCompleteOnceAllChoicesAreFinished) {
  v1::GenerateRequest request;
  request.mutable_sampling()->set_choices(2);
  AnswerRecord record(request);
  EXPECT_TRUE(Takes(record, Started(1)));
  v1::GenerateResponse finished;
  for (const std::uint32_t choice : {1u, 0u}) {
    EXPECT_FALSE(record.complete());
    finished.mutable_finished()->set_choice(choice);
    EXPECT_TRUE(Takes(record, finished));
  }
  EXPECT_TRUE(record.complete());
}

// A router may refuse it.
TEST(AnswerRecordTest, ARequestWithFinishedChoicesOnlyIsNotYetComplete) {
  v1::GenerateRequest request;
  request.mutable_resume()->add_choices()->set_finished(true);
  AnswerRecord record(request);
  EXPECT_FALSE(record.complete());
  EXPECT_TRUE(Takes(record, Started(1)));
  EXPECT_TRUE(record.complete());
}

TEST(AnswerRecordTest, TheTextIsCountedInBytesOverAllStreams) {
  AnswerRecord record({});
  EXPECT_TRUE(Takes(record, Started(1)));
  EXPECT_FALSE(record.NextRequest().resume().choices(0).has_text_bytes());
  v1::GenerateResponse token = Token(0);
  token.mutable_delta()->set_text("ä");
  EXPECT_TRUE(Takes(record, token));
  EXPECT_EQ(record.NextRequest().resume().choices(0).text_bytes(), 2u);
  EXPECT_FALSE(Takes(record, Started(1)));
  EXPECT_TRUE(Takes(record, Token(1)));  // An incomplete character.
  EXPECT_TRUE(Takes(record, Text(2, "\uFFFD")));
  const v1::ResumedChoice choice = record.NextRequest().resume().choices(0);
  EXPECT_EQ(choice.text_bytes(), 5u);
  EXPECT_THAT(choice.token_ids(), ElementsAre(7, 7));
}

TEST(AnswerRecordTest, AWrongDeltaHasNoText) {
  AnswerRecord record({});
  EXPECT_TRUE(Takes(record, Started(1)));
  v1::GenerateResponse gap = Token(1);
  gap.mutable_delta()->set_text("x");
  EXPECT_FALSE(record.Take(&gap).ok());
  EXPECT_FALSE(record.NextRequest().resume().choices(0).has_text_bytes());
}

TEST(AnswerRecordTest, TheTextOfAResumedAnswerIsCountedIfItsSizeIsKnown) {
  v1::GenerateRequest request;
  request.mutable_sampling()->set_choices(2);
  request.mutable_resume()->add_choices()->add_token_ids(3);
  request.mutable_resume()->add_choices()->add_token_ids(3);
  request.mutable_resume()->mutable_choices(1)->set_text_bytes(10);
  AnswerRecord record(request);
  EXPECT_TRUE(Takes(record, Started(1)));
  for (const std::uint32_t choice : {0u, 1u}) {
    v1::GenerateResponse text = Text(1, "abc");
    text.mutable_delta()->set_choice(choice);
    EXPECT_TRUE(Takes(record, text));
  }
  const v1::Resume resume = record.NextRequest().resume();
  EXPECT_FALSE(resume.choices(0).has_text_bytes());
  EXPECT_EQ(resume.choices(1).text_bytes(), 13u);
}

TEST(AnswerRecordTest, TheNumericsAreThoseOfTheFirstStartedOrOfTheRequest) {
  v1::GenerateResponse started = Started(1);
  started.mutable_started()->set_numerics("a+b");
  AnswerRecord record({});
  EXPECT_TRUE(Takes(record, started));
  EXPECT_EQ(record.NextRequest().resume().numerics(), "a+b");
  // The rest has no workers.
  EXPECT_FALSE(Takes(record, Started(1)));
  EXPECT_EQ(record.NextRequest().resume().numerics(), "a+b");
  v1::GenerateRequest request;
  request.mutable_resume()->set_numerics("c+d");
  AnswerRecord resumed(request);
  EXPECT_TRUE(Takes(resumed, Started(1)));
  EXPECT_EQ(resumed.NextRequest().resume().numerics(), "c+d");
}

}  // namespace
}  // namespace apollo::clients
