// Calls that continue the answers of a broken stream. Each test plays a whole
// answer, cuts its stream at every place, and expects the rest.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "router/request/field_error.h"
#include "router/session/choice_seed.h"
#include "router/session/session_fixture.h"

namespace apollo {
namespace {

// What a client has of one answer.
struct Received {
  std::vector<std::int32_t> tokens;
  std::string text;
  std::optional<AnswerFinished> finished;
};

class ResumeTest : public SessionTest {
 protected:
  std::vector<std::int32_t> Tokens(const std::string& text) {
    const auto ids = model_->tokenizer->Encode(text, SpecialText::kPlain);
    EXPECT_TRUE(ids.ok()) << ids.status();
    return *ids;
  }
  // Returns what a client has after the first `events` events of a choice.
  static Received Take(const KeepingGenerateWriter& writer, int choice,
                       std::size_t events = -1) {
    Received out;
    for (const auto& event : writer.events) {
      if (events == 0) break;
      if (const auto* delta = std::get_if<AnswerDelta>(&event)) {
        if (delta->choice != choice) continue;
        for (const AnswerToken& token : delta->tokens) {
          out.tokens.push_back(token.token);
        }
        out.text += delta->text;
      } else if (const auto* end = std::get_if<AnswerFinished>(&event)) {
        if (end->choice != choice) continue;
        out.finished = *end;
      } else {
        continue;
      }
      --events;
    }
    return out;
  }
  static ResumedAnswer AsResumed(const Received& received) {
    ResumedAnswer answer;
    answer.tokens = received.tokens;
    answer.finished = received.finished.has_value();
    answer.text_bytes = static_cast<std::int64_t>(received.text.size());
    return answer;
  }
  // Acts as a dense worker for one sequence whose answer has these tokens.
  static void Answer(ScriptedSequence& sequence,
                     const std::vector<std::int32_t>& tokens,
                     FinishCause cause) {
    sequence.Started();
    const int first = sequence.request.answer_tokens;
    for (int i = first; i < static_cast<int>(tokens.size()); ++i) {
      if (sequence.cancelled()) break;
      sequence.TokenAt(i, tokens[i]);
    }
    sequence.Finish(cause);
  }

  // Plays the answer, cuts it after every event, and expects that the received
  // part and the rest are the whole.
  void ExpectSeamless(const GenerateInput& input,
                      const std::vector<std::int32_t>& tokens,
                      FinishCause cause) {
    KeepingGenerateWriter whole;
    const auto session = Generate(input, whole);
    Answer(Sequence(backend_->sequences().size() - 1), tokens, cause);
    session->Close();
    const Received all = Take(whole, 0);
    ASSERT_TRUE(all.finished);
    for (std::size_t cut = 0; cut + 1 < whole.events.size(); ++cut) {
      SCOPED_TRACE(cut);
      const Received before = Take(whole, 0, cut);
      GenerateInput again = input;
      again.resume = ResumeInput{{AsResumed(before)}, 5, "", -1, ""};
      KeepingGenerateWriter writer;
      const std::size_t runs = backend_->sequences().size();
      const auto rest = Generate(again, writer);
      if (backend_->sequences().size() > runs) {
        Answer(Sequence(runs), tokens, cause);
      }
      rest->Close();
      ASSERT_TRUE(writer.ended) << "not ended";
      EXPECT_TRUE(writer.ended->ok()) << *writer.ended;
      const Received after = Take(writer, 0);
      std::vector<std::int32_t> both = before.tokens;
      both.insert(both.end(), after.tokens.begin(), after.tokens.end());
      EXPECT_EQ(both, all.tokens);
      EXPECT_EQ(before.text + after.text, all.text);
      ASSERT_TRUE(after.finished);
      EXPECT_EQ(after.finished->reason, all.finished->reason);
      EXPECT_EQ(after.finished->matched_stop, all.finished->matched_stop);
      EXPECT_EQ(after.finished->matched_token, all.finished->matched_token);
      EXPECT_EQ(after.finished->generated_tokens,
                all.finished->generated_tokens);
      EXPECT_EQ(after.finished->prompt_tokens, all.finished->prompt_tokens);
      int next = static_cast<int>(before.tokens.size());
      for (const AnswerDelta& delta : writer.Deltas()) {
        EXPECT_EQ(delta.index, next);
        next += static_cast<int>(delta.tokens.size());
      }
    }
  }
};

TEST_F(ResumeTest, CharactersOfSeveralBytesContinueAtEveryToken) {
  ExpectSeamless(Prompt("Q:"), Tokens("é漢字 🙂 naïve"),
                 FinishCause::kEos);
}

TEST_F(ResumeTest, AnIncompleteCharacterAtTheEndIsSentOnce) {
  std::vector<std::int32_t> tokens = Tokens("ab漢");
  tokens.pop_back();
  ExpectSeamless(Prompt("Q:"), tokens, FinishCause::kEos);
  GenerateInput input = Prompt("Q:");
  input.max_new_tokens = static_cast<std::int64_t>(tokens.size());
  ExpectSeamless(input, tokens, FinishCause::kLength);
}

TEST_F(ResumeTest, StopStringsMatchAcrossTheSeam) {
  GenerateInput input = Prompt("Q:");
  input.stops = {"zebra", "END", "漢!"};
  ExpectSeamless(input, Tokens("some words, ENDING here"), FinishCause::kEos);
  ExpectSeamless(input, Tokens("almost EN"), FinishCause::kEos);
  ExpectSeamless(input, Tokens("a漢!b"), FinishCause::kLength);
}

TEST_F(ResumeTest, StopTokensEndTheAnswer) {
  GenerateInput input = Prompt("Q:");
  const std::vector<std::int32_t> tokens = Tokens("abcdef");
  ASSERT_GT(tokens.size(), 3u);
  input.stop_tokens = {tokens[3]};
  ExpectSeamless(input, tokens, FinishCause::kEos);
}

TEST_F(ResumeTest, TheLimitCountsTheReceivedTokens) {
  GenerateInput input = Prompt("Q:");
  const std::vector<std::int32_t> tokens = Tokens("abcdef");
  input.max_new_tokens = static_cast<std::int64_t>(tokens.size());
  ExpectSeamless(input, tokens, FinishCause::kLength);
}

TEST_F(ResumeTest, ATurnOfAChatEndsTheAnswer) {
  GenerateInput input = Prompt("");
  input.input.is_chat = true;
  input.input.chat = {{ChatRole::kUser, "hi"}};
  ExpectSeamless(input, Tokens("fine\nUser: more"), FinishCause::kEos);
}

TEST_F(ResumeTest, TheRequestContinuesWithAllButTheLastToken) {
  GenerateInput input = Prompt("Q:");
  input.has_seed = false;
  input.sampling.presence_penalty = 1.5f;
  input.max_new_tokens = 20;
  input.wants_logprobs = true;
  input.top_logprobs = 3;
  ResumeInput resume;
  resume.choices = {{{50, 51, 52}, false, std::nullopt}};
  resume.seed = 77;
  resume.language = "de";
  resume.family = 4;
  resume.numerics = "cpu/f32+cpu/int8";
  input.resume = resume;
  input.input.hybrid = true;
  KeepingGenerateWriter writer;
  const auto session = Generate(input, writer);
  const GenerationRequest& run = Sequence(0).request;
  const std::size_t prompt = run.prompt.size() - 2;
  EXPECT_EQ(run.answer_tokens, 2);
  EXPECT_EQ(run.prompt[prompt], 50);
  EXPECT_EQ(run.prompt[prompt + 1], 51);
  EXPECT_EQ(run.max_new_tokens, 18);
  EXPECT_EQ(run.sampling.seed, 77u);
  EXPECT_EQ(run.sampling.presence_penalty, 1.5f);
  EXPECT_EQ(run.top_logprobs, 3);
  EXPECT_EQ(run.language, "de");
  EXPECT_EQ(run.family, 4);
  EXPECT_TRUE(run.hybrid);
  EXPECT_TRUE((run.numerics == SequenceNumerics{"cpu/f32", "cpu/int8"}));
  Sequence(0).Started();
  Sequence(0).TokenAt(2, 52);
  EXPECT_TRUE(writer.Deltas().empty());
  Sequence(0).TokenAt(3, 53);
  Sequence(0).Finish(FinishCause::kEos);
  session->Close();
  const auto& started = std::get<AnswerStarted>(writer.events[0]);
  EXPECT_EQ(started.language.language, "de");
  EXPECT_EQ(started.seed, 77u);
  EXPECT_EQ(started.prompt_tokens, static_cast<int>(prompt));
  EXPECT_NE(Metrics().find("apollo_requests_resumed_total 1\n"),
            std::string::npos);
}

TEST_F(ResumeTest, EachChoiceContinuesOnItsOwn) {
  GenerateInput input = Prompt("Q:");
  input.choices = 4;
  input.max_new_tokens = 5;
  ResumeInput resume;
  resume.seed = 5;
  resume.choices = {{{50}, true, std::nullopt},
                    {{51, 52}, false, std::nullopt},
                    {{60, 61, 62, 63, 64}, false, std::nullopt}};
  input.resume = resume;
  KeepingGenerateWriter writer;
  const auto session = Generate(input, writer);
  ASSERT_EQ(backend_->sequences().size(), 2u);
  EXPECT_EQ(Sequence(0).request.answer_tokens, 1);
  EXPECT_EQ(Sequence(0).request.sampling.seed, ChoiceSeed(5, 1));
  EXPECT_EQ(Sequence(1).request.answer_tokens, 0);
  EXPECT_EQ(Sequence(1).request.sampling.seed, ChoiceSeed(5, 3));
  Sequence(1).Started();
  Sequence(1).TokenAt(0, 70);
  Sequence(1).Finish(FinishCause::kEos);
  Sequence(0).Started();
  Sequence(0).TokenAt(1, 52);
  Sequence(0).TokenAt(2, 53);
  Sequence(0).Finish(FinishCause::kEos);
  session->Close();
  EXPECT_TRUE(writer.ended->ok());
  EXPECT_FALSE(Take(writer, 0).finished);
  EXPECT_TRUE(Take(writer, 0).tokens.empty());
  EXPECT_EQ(Take(writer, 1).finished->generated_tokens, 3);
  EXPECT_EQ(Take(writer, 2).finished->reason, AnswerEnd::kLength);
  EXPECT_EQ(Take(writer, 2).finished->generated_tokens, 5);
  EXPECT_EQ(Take(writer, 3).finished->generated_tokens, 1);
}

TEST_F(ResumeTest, ACallWithAllEndsEndsAtOnce) {
  GenerateInput input = Prompt("Q:");
  input.resume = ResumeInput{{{{50}, true, std::nullopt}}, 5, "", -1, ""};
  KeepingGenerateWriter writer;
  const auto session = Generate(input, writer);
  session->Close();
  EXPECT_TRUE(backend_->sequences().empty());
  ASSERT_TRUE(writer.ended);
  EXPECT_TRUE(writer.ended->ok());
  ASSERT_EQ(writer.events.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<AnswerStarted>(writer.events[0]));
}

TEST_F(ResumeTest, LogprobsOfThePromptComeAgainOnlyBeforeTheFirstToken) {
  GenerateInput input = Prompt("Q:");
  input.wants_prompt_logprobs = true;
  input.resume = ResumeInput{{}, 5, "", -1, ""};
  KeepingGenerateWriter none, one;
  const auto first = Generate(input, none);
  EXPECT_EQ(Sequence(0).request.prompt_logprobs, 0);
  input.resume->choices = {{{50}, false, std::nullopt}};
  const auto second = Generate(input, one);
  EXPECT_EQ(Sequence(1).request.prompt_logprobs, std::nullopt);
  Sequence(1).Started();
  Sequence(1).TokenAt(0, 50);
  Sequence(1).Finish(FinishCause::kEos);
  EXPECT_TRUE(one.ended->ok()) << *one.ended;
  first->Cancel(absl::CancelledError("done"));
  first->Close();
  second->Close();
}

TEST_F(ResumeTest, AnAnswerThatDoesNotGoOnIsRefused) {
  for (const bool ends : {false, true}) {
    GenerateInput input = Prompt("Q:");
    input.resume =
        ResumeInput{{{{50, 51}, false, std::nullopt}}, 5, "", -1, ""};
    KeepingGenerateWriter writer;
    const std::size_t run = backend_->sequences().size();
    const auto session = Generate(input, writer);
    Sequence(run).Started();
    if (!ends) Sequence(run).TokenAt(1, 99);
    Sequence(run).Finish(FinishCause::kEos);
    session->Close();
    ASSERT_TRUE(writer.ended);
    const auto problems = FieldProblemsOf(*writer.ended);
    ASSERT_EQ(problems.size(), 1u) << *writer.ended;
    EXPECT_EQ(problems[0].field, "resume.choices[0].token_ids");
    EXPECT_TRUE(writer.Deltas().empty());
  }
}

TEST_F(ResumeTest, WhatNoClientCanHaveReceivedIsRefused) {
  const std::vector<std::int32_t> tokens = Tokens("abc");
  struct Case {
    ResumedAnswer answer;
    std::string field;
  };
  std::vector<std::int32_t> beyond = tokens;
  beyond.push_back(tokens[0]);
  const std::vector<Case> cases = {
      {{tokens, false, 2}, "resume.choices[0].text_bytes"},
      {{tokens, false, 4}, "resume.choices[0].text_bytes"},
      {{beyond, false, std::nullopt}, "resume.choices[0].token_ids"},
  };
  for (const Case& one : cases) {
    GenerateInput input = Prompt("Q:");
    input.stop_tokens = {tokens.back()};
    if (one.answer.text_bytes) input.stop_tokens.clear();
    input.resume = ResumeInput{{one.answer}, 5, "", -1, ""};
    KeepingGenerateWriter writer;
    const auto session = Generate(input, writer);
    session->Close();
    ASSERT_TRUE(writer.ended);
    const auto problems = FieldProblemsOf(*writer.ended);
    ASSERT_EQ(problems.size(), 1u) << *writer.ended;
    EXPECT_EQ(problems[0].field, one.field);
  }
}

}  // namespace
}  // namespace apollo
