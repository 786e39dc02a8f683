#include "router/session/generate_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "router/access/pass_testing.h"
#include "router/model/answer_ends.h"
#include "router/session/choice_seed.h"
#include "router/session/session_fixture.h"

namespace apollo {
namespace {

class GenerateSessionTest : public SessionTest {};

TEST_F(GenerateSessionTest, EventsComeInOrderWithTheirTimes) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("four");
  input.input.request_id = "mine";
  const auto session = Generate(input, writer);
  clock_.now += absl::Seconds(2);
  Sequence(0).Started(/*cached_tokens=*/2);
  clock_.now += absl::Seconds(1);
  Sequence(0).Say("Hi");
  clock_.now += absl::Seconds(4);
  Sequence(0).Finish(FinishCause::kLength);

  ASSERT_EQ(writer.events.size(), 4u);
  const auto& started = std::get<AnswerStarted>(writer.events[0]);
  EXPECT_EQ(started.request_id, "mine");
  EXPECT_EQ(started.prompt_tokens, 4);
  EXPECT_EQ(started.cached_tokens, 2);
  EXPECT_EQ(started.dense_worker, "dense-0");
  EXPECT_EQ(started.expert_worker, "expert-0");
  EXPECT_EQ(started.seed, 5u);
  EXPECT_EQ(writer.Text(), "Hi");
  const auto& finished = std::get<AnswerFinished>(writer.events[3]);
  EXPECT_EQ(finished.reason, AnswerEnd::kLength);
  EXPECT_EQ(finished.prompt_tokens, 4);
  EXPECT_EQ(finished.cached_tokens, 2);
  EXPECT_EQ(finished.generated_tokens, 2);
  EXPECT_EQ(finished.queue, absl::Seconds(2));
  EXPECT_EQ(finished.first_token, absl::Seconds(3));
  EXPECT_EQ(finished.total, absl::Seconds(7));
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_TRUE(writer.ended->ok());
}

TEST_F(GenerateSessionTest, AnAnswerWithoutTokensHasNoFirstOne) {
  KeepingGenerateWriter writer;
  const auto session = Generate(Prompt("x"), writer);
  Sequence(0).Started();
  Sequence(0).Finish(FinishCause::kEos);
  ASSERT_EQ(writer.AllFinished().size(), 1u);
  EXPECT_EQ(writer.AllFinished()[0].first_token, std::nullopt);
}

TEST_F(GenerateSessionTest, EveryChoiceHasTheTenantsSalt) {
  KeepingGenerateWriter a, b;
  GenerateInput input = Prompt("four");
  input.choices = 2;
  const auto first = Generate(input, a, PassOf("clinic-a"));
  const auto second = Generate(input, b, PassOf("clinic-b"));
  std::vector<std::string> salts;
  for (const auto& sequence : backend_->sequences()) {
    salts.push_back(sequence->request.cache_salt);
  }
  EXPECT_THAT(salts,
              testing::ElementsAre("tenant:clinic-a", "tenant:clinic-a",
                                   "tenant:clinic-b", "tenant:clinic-b"));
}

TEST_F(GenerateSessionTest, ChoicesShareTheNumericsThatTheClientIsTold) {
  KeepingGenerateWriter a, b, c;
  GenerateInput input = Prompt("four");
  const auto single = Generate(input, a);
  EXPECT_EQ(Sequence(0).request.shared_numerics, nullptr);
  input.choices = 2;
  const auto first = Generate(input, b);
  const auto second = Generate(input, c);
  const auto shared = [this](int i) {
    return Sequence(i).request.shared_numerics;
  };
  EXPECT_NE(shared(1), nullptr);
  EXPECT_EQ(shared(1), shared(2));
  EXPECT_NE(shared(3), shared(1));  // Those of another request.
}

TEST_F(GenerateSessionTest, ChoicesShareTheHashesOfTheirPrompt) {
  KeepingGenerateWriter a, b;
  GenerateInput input = Prompt("four");
  input.choices = 2;
  const auto first = Generate(input, a);
  const auto second = Generate(input, b);
  const auto hashes = [this](int i) {
    return Sequence(i).request.prompt_hashes;
  };
  EXPECT_NE(hashes(0), nullptr);
  EXPECT_EQ(hashes(0), hashes(1));
  EXPECT_NE(hashes(2), hashes(0));  // Of another request.
}

TEST_F(GenerateSessionTest, OnlyADefaultLengthIsShortened) {
  KeepingGenerateWriter a, b;
  GenerateInput input = Prompt("four");
  const auto first = Generate(input, a);
  // All tokens that the context of 512 has room for.
  EXPECT_EQ(Sequence(0).request.max_new_tokens, 508);
  EXPECT_TRUE(Sequence(0).request.shorten_to_cache);
  input.max_new_tokens = 508;
  const auto second = Generate(input, b);
  EXPECT_EQ(Sequence(1).request.max_new_tokens, 508);
  EXPECT_FALSE(Sequence(1).request.shorten_to_cache);
}

TEST_F(GenerateSessionTest, ChoicesAreInterleavedAndHaveSeedsOfTheirOwn) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.choices = 3;
  const auto session = Generate(input, writer);
  ASSERT_EQ(backend_->sequences().size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Sequence(i).request.sampling.seed, ChoiceSeed(5, i));
    Sequence(i).Started(/*cached_tokens=*/i);
  }
  for (int step = 0; step < 3; ++step) {
    for (int i = 0; i < 3; ++i) {
      Sequence(i).Say(std::string(1, static_cast<char>('a' + i)));
    }
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(writer.ended.has_value());
    Sequence(i).Finish(FinishCause::kEos);
  }
  ASSERT_EQ(writer.events.size(), 1u + 9 + 3);  // One `started` for all.
  std::vector<int> order;
  for (const AnswerDelta& delta : writer.Deltas()) {
    order.push_back(delta.choice);
  }
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(writer.Text(0), "aaa");
  EXPECT_EQ(writer.Text(1), "bbb");
  EXPECT_EQ(writer.Text(2), "ccc");
  for (const AnswerFinished& finished : writer.AllFinished()) {
    EXPECT_EQ(finished.cached_tokens, finished.choice);
  }
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_TRUE(writer.ended->ok());
}

TEST_F(GenerateSessionTest, AStopStringEndsTheAnswerAndCancelsTheSequence) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.stops = {"END"};
  const auto session = Generate(input, writer);
  Sequence(0).Started();
  Sequence(0).Say("ab END cd");
  EXPECT_EQ(writer.Text(), "ab ");
  ASSERT_EQ(writer.AllFinished().size(), 1u);
  EXPECT_EQ(writer.AllFinished()[0].reason, AnswerEnd::kStop);
  EXPECT_EQ(writer.AllFinished()[0].generated_tokens, 6);
  EXPECT_TRUE(Sequence(0).cancelled());
  // The end of the sequence comes later and changes nothing.
  Sequence(0).Finish(absl::CancelledError("cancelled"));
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_TRUE(writer.ended->ok());
}

TEST_F(GenerateSessionTest, AStopEndsOneChoiceOnly) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.stops = {"!"};
  input.choices = 2;
  const auto session = Generate(input, writer);
  Sequence(0).Started();
  Sequence(0).Say("a!");
  EXPECT_TRUE(Sequence(0).cancelled());
  EXPECT_FALSE(Sequence(1).cancelled());
  EXPECT_FALSE(writer.ended.has_value());
  Sequence(1).Say("bc");
  Sequence(1).Finish(FinishCause::kEos);
  EXPECT_EQ(writer.Text(1), "bc");
  EXPECT_TRUE(writer.ended.has_value());
}

// The published tokenizer has a token for each byte.
std::int32_t TokenOf(const RouterModel& model, const std::string& text) {
  const auto ids = model.tokenizer->Encode(text, SpecialText::kPlain);
  EXPECT_TRUE(ids.ok() && ids->size() == 1u) << text;
  return ids->at(0);
}

TEST_F(GenerateSessionTest, AStopTokenIsReportedButIsNoText) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.stops = {"never", "bZ"};
  input.stop_tokens = {TokenOf(*model_, "Y"), TokenOf(*model_, "X")};
  const auto session = Generate(input, writer);
  EXPECT_TRUE(Sequence(0).request.use_with_tokens);
  Sequence(0).Started();
  Sequence(0).Say("abX");  // "b" was held back.
  EXPECT_TRUE(Sequence(0).cancelled());
  EXPECT_EQ(writer.Text(), "ab");
  ASSERT_EQ(writer.AllFinished().size(), 1u);
  const AnswerFinished finished = writer.AllFinished()[0];
  EXPECT_EQ(finished.reason, AnswerEnd::kStop);
  EXPECT_EQ(finished.generated_tokens, 3);
  EXPECT_EQ(finished.matched_token, TokenOf(*model_, "X"));
  EXPECT_EQ(finished.matched_stop, std::nullopt);
  EXPECT_EQ(writer.Deltas().back().tokens.back().token, TokenOf(*model_, "X"));
  EXPECT_TRUE(writer.ended.has_value() && writer.ended->ok());
}

TEST_F(GenerateSessionTest, AStopTokenEndsTheAnswerWithIgnoreEosToo) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.ignore_eos = true;
  input.stop_tokens = {TokenOf(*model_, "X")};
  const auto session = Generate(input, writer);
  Sequence(0).Started();
  Sequence(0).Say("X");
  EXPECT_EQ(writer.Text(), "");
  EXPECT_EQ(writer.AllFinished().at(0).reason, AnswerEnd::kStop);
}

TEST_F(GenerateSessionTest, TheStopStringThatMatchedIsNamed) {
  for (const auto& [text, stop] :
       {std::pair("ab END", 1), {"ab\n", 0}, {"ab STOP", 2}}) {
    KeepingGenerateWriter writer;
    GenerateInput input = Prompt("x");
    input.stops = {"\n", "END", "STOP", "STOP"};
    const auto session = Generate(input, writer);
    const std::size_t last = backend_->sequences().size() - 1;
    Sequence(last).Started();
    Sequence(last).Say(text);
    ASSERT_EQ(writer.AllFinished().size(), 1u) << text;
    EXPECT_EQ(writer.AllFinished()[0].matched_stop, stop);
    EXPECT_EQ(writer.AllFinished()[0].matched_token, std::nullopt);
  }
}

TEST_F(GenerateSessionTest, NothingMatchedAtAnotherEnd) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.stops = {"END"};
  input.stop_tokens = {1};
  const auto session = Generate(input, writer);
  Sequence(0).Started();
  Sequence(0).Finish(FinishCause::kLength);
  EXPECT_EQ(writer.AllFinished().at(0).matched_stop, std::nullopt);
  EXPECT_EQ(writer.AllFinished().at(0).matched_token, std::nullopt);
}

TEST_F(GenerateSessionTest, TheFirstChoiceHasTheLogprobsOfThePrompt) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("four");
  input.choices = 2;
  input.wants_prompt_logprobs = true;
  input.prompt_logprobs = 2;
  const auto session = Generate(input, writer);
  EXPECT_EQ(Sequence(0).request.prompt_logprobs, 2);
  EXPECT_EQ(Sequence(1).request.prompt_logprobs, std::nullopt);
  Sequence(0).Started();
  Sequence(0).Prompt({1, {{8, -1, {{9, -0.5f}, {8, -1}}}, {9, -2, {}}}});
  Sequence(0).Prompt({3, {{7, -3, {}}}});
  Sequence(1).Started();
  Sequence(0).Finish(FinishCause::kEos);
  Sequence(1).Finish(FinishCause::kEos);
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_TRUE(writer.ended->ok()) << *writer.ended;
  const auto& first = std::get<AnswerPrompt>(writer.events.at(1));
  EXPECT_EQ(first.index, 1);
  ASSERT_EQ(first.tokens.size(), 2u);
  EXPECT_EQ(first.tokens[0].token, 8);
  EXPECT_EQ(first.tokens[0].logprob, -1);
  ASSERT_EQ(first.tokens[0].alternatives.size(), 2u);
  EXPECT_EQ(first.tokens[0].alternatives[0].bytes,
            model_->tokenizer->TokenBytes(9));
  EXPECT_EQ(std::get<AnswerPrompt>(writer.events.at(2)).index, 3);
}

TEST_F(GenerateSessionTest, MissingLogprobsOfThePromptAreAnError) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("four");
  input.wants_prompt_logprobs = true;
  const auto session = Generate(input, writer);
  Sequence(0).Started();
  Sequence(0).Prompt({1, {{8, -1, {}}}});
  Sequence(0).Finish(FinishCause::kEos);
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_EQ(writer.ended->code(), absl::StatusCode::kInternal);
}

TEST_F(GenerateSessionTest, TokenIdsAreThePromptAsTheyAre) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("");
  input.input.is_tokens = true;
  input.input.tokens = {3, 1, 2};
  const auto session = Generate(input, writer);
  EXPECT_EQ(Sequence(0).request.prompt, (std::vector<std::int32_t>{3, 1, 2}));
  EXPECT_EQ(Sequence(0).request.max_new_tokens, 509);
  KeepingGenerateWriter full;
  input.input.tokens.assign(512, 1);
  const auto refused = Generate(input, full);
  ASSERT_TRUE(full.ended.has_value());
  EXPECT_EQ(full.ended->code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(full.ended->message().find("tokenized.input_ids has 512 tokens"),
            0u);
}

TEST_F(GenerateSessionTest, TheLanguageOfTokenIdsIsThatOfTheirText) {
  const std::string text =
      "Welche Symptome hat eine Grippe und wie wird sie behandelt?";
  KeepingGenerateWriter a, b, c;
  const auto plain = Generate(Prompt(text), a);
  GenerateInput input = Prompt("");
  input.input.is_tokens = true;
  input.input.tokens = Sequence(0).request.prompt;
  const auto ids = Generate(input, b);
  input.input.language = "sw";
  const auto given = Generate(input, c);
  EXPECT_EQ(Sequence(0).request.language, "de");
  EXPECT_EQ(Sequence(1).request.language, "de");
  EXPECT_EQ(Sequence(1).request.family, Sequence(0).request.family);
  EXPECT_EQ(Sequence(2).request.language, "sw");
}

TEST_F(GenerateSessionTest, AWriterWithoutRoomEndsTheCallWithItsError) {
  KeepingGenerateWriter writer;
  const auto session = Generate(Prompt("x"), writer);
  Sequence(0).Started();
  Sequence(0).Say("a");
  writer.room_status = absl::FailedPreconditionError("full");
  Sequence(0).Say("b");
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_EQ(*writer.ended, writer.room_status);
  EXPECT_TRUE(Sequence(0).cancelled());
}

TEST_F(GenerateSessionTest, HeldBackTextComesBeforeTheEnd) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.stops = {"END"};
  const auto session = Generate(input, writer);
  Sequence(0).Started();
  Sequence(0).Say("abEN");
  EXPECT_EQ(writer.Text(), "ab");
  Sequence(0).Finish(FinishCause::kLength);
  EXPECT_EQ(writer.Text(), "abEN");
  ASSERT_EQ(writer.AllFinished().size(), 1u);
  EXPECT_EQ(writer.AllFinished()[0].reason, AnswerEnd::kLength);
}

TEST_F(GenerateSessionTest, AnAnswerThatAStopStringEndsHasItsExpertUseToo) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.stops = {"!"};
  const auto session = Generate(input, writer);
  EXPECT_TRUE(Sequence(0).request.use_with_tokens);
  Sequence(0).Started();
  for (const std::uint64_t tokens : {5, 6, 7}) {
    // "!" is token 0.
    Sequence(0).Token({0, tokens == 6 ? 0 : 64, -1, {}, {{3, {tokens, 2}, 1}}});
  }
  // Up to the token that completed the stop string, not beyond it.
  ASSERT_EQ(writer.AllFinished().size(), 1u);
  const AnswerFinished finished = writer.AllFinished()[0];
  EXPECT_EQ(finished.generated_tokens, 2);
  ASSERT_EQ(finished.expert_use.size(), 1u);
  EXPECT_EQ(finished.expert_use[0].layer, 3);
  EXPECT_EQ(finished.expert_use[0].tokens_by_expert[0], 6u);
  EXPECT_EQ(finished.expert_use[0].off_family_tokens, 1u);
}

// The last events may be those for which there is no room.
TEST_F(GenerateSessionTest, ACallWhoseEndHasNoRoomDoesNotCountAsOk) {
  KeepingGenerateWriter writer;
  const auto session = Generate(Prompt("x"), writer);
  Sequence(0).Started();
  writer.room_status = absl::FailedPreconditionError("full");
  Sequence(0).Finish(FinishCause::kEos);
  ASSERT_TRUE(writer.ended.has_value());
  EXPECT_EQ(*writer.ended, writer.room_status);
  session->Close();
  EXPECT_THAT(Metrics(), testing::HasSubstr("code=\"FAILED_PRECONDITION\""));
}

GenerateInput Chat(const std::string& question) {
  GenerateInput input;
  input.input.is_chat = true;
  input.input.chat = {{ChatRole::kUser, question}};
  return input;
}

TEST_F(GenerateSessionTest, AnInventedTurnOfTheUserEndsAChat) {
  KeepingGenerateWriter writer;
  const auto session = Generate(Chat("x"), writer);
  EXPECT_TRUE(Sequence(0).request.use_with_tokens);
  Sequence(0).Started();
  Sequence(0).Say("Yes.\nUsers: all.\nUser: and");
  EXPECT_EQ(writer.Text(), "Yes.\nUsers: all.");
  ASSERT_EQ(writer.AllFinished().size(), 1u);
  EXPECT_EQ(writer.AllFinished()[0].reason, AnswerEnd::kEos);
  EXPECT_TRUE(Sequence(0).cancelled());
}

TEST_F(GenerateSessionTest, PromptsAndUnendedChatsMayHaveTurns) {
  for (GenerateInput input : {Prompt("x"), Chat("x")}) {
    KeepingGenerateWriter writer;
    input.ignore_eos = input.input.is_chat;
    const auto session = Generate(input, writer);
    ScriptedSequence& sequence = *backend_->sequences().back();
    EXPECT_FALSE(sequence.request.use_with_tokens);
    sequence.Started();
    sequence.Say("Yes.\nUser: and");
    sequence.Finish(FinishCause::kLength);
    EXPECT_EQ(writer.Text(), "Yes.\nUser: and");
    EXPECT_EQ(writer.AllFinished()[0].reason, AnswerEnd::kLength);
  }
}

TEST_F(GenerateSessionTest, TheEndOfATurnIsAnEndTokenOfEachRequest) {
  const TokenId end = *model_->tokenizer->AddedTokenId("<|im_end|>");
  KeepingGenerateWriter a, b, c;
  const auto apollo = Generate(Chat("x"), a);
  EXPECT_THAT(Sequence(0).request.end_tokens, testing::IsEmpty());
  model_->ends = FindAnswerEnds(PromptFormat::kChatMl, "", *model_->tokenizer);
  const auto chat = Generate(Chat("x"), b);
  EXPECT_THAT(Sequence(1).request.end_tokens, testing::ElementsAre(end));
  EXPECT_FALSE(Sequence(1).request.use_with_tokens);
  const auto prompt = Generate(Prompt("x"), c);
  EXPECT_THAT(Sequence(2).request.end_tokens, testing::ElementsAre(end));
}

// A dense worker of an older release does not know the end tokens of a request,
// and sends them.
TEST_F(GenerateSessionTest, AnEndTokenThatAWorkerSendsEndsTheAnswer) {
  const TokenId end = *model_->tokenizer->AddedTokenId("<|im_end|>");
  model_->ends = FindAnswerEnds(PromptFormat::kChatMl, "", *model_->tokenizer);
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.stops = {"bZ"};
  input.stop_tokens = {end};
  const auto session = Generate(input, writer);
  Sequence(0).Started();
  Sequence(0).Say("ab");  // "b" is held back.
  Sequence(0).Token({0, end, -1, {}});
  EXPECT_TRUE(Sequence(0).cancelled());
  EXPECT_EQ(writer.Text(), "ab");
  ASSERT_EQ(writer.AllFinished().size(), 1u);
  EXPECT_EQ(writer.AllFinished()[0].reason, AnswerEnd::kEos);
  EXPECT_EQ(writer.AllFinished()[0].matched_token, std::nullopt);
  EXPECT_EQ(writer.AllFinished()[0].generated_tokens, 2);
  EXPECT_TRUE(writer.ended.has_value() && writer.ended->ok());

  KeepingGenerateWriter ignoring;
  input.ignore_eos = true;
  input.stop_tokens = {};
  const auto other = Generate(input, ignoring);
  Sequence(1).Started();
  Sequence(1).Token({0, end, -1, {}});
  EXPECT_TRUE(ignoring.AllFinished().empty());
}

TEST_F(GenerateSessionTest, AStopStringMayNameAControlToken) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.stops = {"<|im_end|>"};
  const auto session = Generate(input, writer);
  Sequence(0).Started();
  Sequence(0).Say("ab");
  const TokenId end = *model_->tokenizer->SpecialTokenId("<|im_end|>");
  Sequence(0).Token({2, end, -1, {}});
  ASSERT_EQ(writer.AllFinished().size(), 1u);
  EXPECT_EQ(writer.AllFinished()[0].reason, AnswerEnd::kStop);
  EXPECT_EQ(writer.Text(), "ab");
}

TEST_F(GenerateSessionTest, AlternativesHaveTheirBytes) {
  KeepingGenerateWriter writer;
  GenerateInput input = Prompt("x");
  input.wants_logprobs = true;
  input.top_logprobs = 2;
  const auto session = Generate(input, writer);
  EXPECT_EQ(Sequence(0).request.top_logprobs, 2);
  Sequence(0).Started();
  // The model has one token more than its tokenizer.
  Sequence(0).Token({0, 1, -0.5f, {{1, -0.5f}, {259, -2}}});
  ASSERT_EQ(writer.Deltas().size(), 1u);
  const AnswerDelta delta = writer.Deltas()[0];
  EXPECT_TRUE(delta.with_logprobs);
  ASSERT_EQ(delta.tokens.size(), 1u);
  EXPECT_EQ(delta.tokens[0].logprob, -0.5f);
  ASSERT_EQ(delta.tokens[0].alternatives.size(), 2u);
  EXPECT_EQ(delta.tokens[0].alternatives[0].bytes, "\"");
  EXPECT_EQ(delta.tokens[0].alternatives[1].bytes, "");
}

TEST_F(GenerateSessionTest, AnUnseededRequestGetsASeedAndAnId) {
  KeepingGenerateWriter writer;
  GenerateInput input;
  input.input.prompt = "x";
  const auto session = Generate(input, writer);
  Sequence(0).Started();
  const auto& started = std::get<AnswerStarted>(writer.events.at(0));
  EXPECT_EQ(started.seed, Sequence(0).request.sampling.seed);
  EXPECT_EQ(started.request_id, Sequence(0).request.request_id);
  EXPECT_THAT(started.request_id, testing::MatchesRegex("r-[0-9a-f]{16}"));
}

}  // namespace
}  // namespace apollo
