#include "clients/cpp/answer_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

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

}  // namespace
}  // namespace apollo::clients
