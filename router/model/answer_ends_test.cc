#include "router/model/answer_ends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "common/json.h"
#include "model/tokenizer/test_tokenizer.h"

namespace apollo {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Returns a tokenizer with the ends of turns of two formats: 260 <|im_end|>,
// which is not special, and 261 <|eot_id|>.
std::unique_ptr<const Tokenizer> Load() {
  Json json = TestTokenizerJson();
  json["added_tokens"] = {TestAddedToken(260, "<|im_end|>", false),
                          TestAddedToken(261, "<|eot_id|>", true)};
  auto tokenizer = Tokenizer::Parse(json.dump(), "t.json");
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

TEST(AnswerEndsTest, ChatMlEndsWithItsTokenAlsoIfItIsNotSpecial) {
  const auto tokenizer = Load();
  const AnswerEnds ends = FindAnswerEnds(PromptFormat::kChatMl, "", *tokenizer);
  EXPECT_THAT(ends.tokens, ElementsAre(260));
  EXPECT_THAT(ends.chat_stops, IsEmpty());
}

TEST(AnswerEndsTest, AnApolloChatEndsWhereTheModelAsksItself) {
  const auto tokenizer = Load();
  const AnswerEnds ends = FindAnswerEnds(PromptFormat::kApollo, "", *tokenizer);
  EXPECT_THAT(ends.tokens, IsEmpty());
  EXPECT_THAT(ends.chat_stops, ElementsAre("\nUser:"));
}

TEST(AnswerEndsTest, ATemplateEndsWithTheTokensThatItNames) {
  const auto tokenizer = Load();
  const auto tokens = [&](std::string_view chat_template) {
    const AnswerEnds ends =
        FindAnswerEnds(PromptFormat::kApollo, chat_template, *tokenizer);
    EXPECT_THAT(ends.chat_stops, IsEmpty());
    return ends.tokens;
  };
  EXPECT_THAT(tokens("{{ m.content }}<|eot_id|>"), ElementsAre(261));
  EXPECT_THAT(tokens("<|eot_id|>{{ m }}<|im_end|>"), ElementsAre(260, 261));
  EXPECT_THAT(tokens("{{ m.content }}"), IsEmpty());
  // The tokenizer has no such token.
  EXPECT_THAT(tokens("{{ m.content }}<end_of_turn>"), IsEmpty());
}

TEST(AnswerEndsTest, ATemplateEndsWithTheTokenThatFollowsItsAnswers) {
  const auto tokenizer = Load();
  const auto tokens = [&](TokenId end) {
    return FindAnswerEnds(PromptFormat::kApollo, "{{ m }}<|im_end|>",
                          *tokenizer, end)
        .tokens;
  };
  EXPECT_THAT(tokens(7), ElementsAre(7, 260));
  EXPECT_THAT(tokens(260), ElementsAre(260));
}

}  // namespace
}  // namespace apollo
