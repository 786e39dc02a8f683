#include "router/grpc/read_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "router/request/field_error.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Contained in every text of the requests below; no error may quote it.
constexpr char kPatient[] = "zebra";
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

void AddMessage(v1::Chat& chat, v1::Role role,
                const std::string& content = kPatient) {
  v1::ChatMessage* message = chat.add_messages();
  message->set_role(role);
  message->set_content(content);
}

// Returns a valid request with every text field set.
v1::GenerateRequest FullRequest() {
  v1::GenerateRequest request;
  request.set_request_id("zebra-1_2.3:4");
  request.set_prompt(kPatient);
  request.set_language("de");
  request.add_stop(kPatient);
  return request;
}

v1::ScoreRequest FullScore() {
  v1::ScoreRequest request;
  request.set_request_id("zebra");
  request.set_prompt(kPatient);
  request.add_continuations(kPatient);
  return request;
}

RequestLimits Limits() {
  RequestLimits limits;
  limits.vocab_size = 1000;
  return limits;
}

absl::StatusOr<GenerateInput> Validate(const v1::GenerateRequest& request,
                                       bool default_hybrid = false) {
  return ReadGenerate(request, Limits(), FamilyTable::Paper(), default_hybrid);
}

absl::StatusOr<ScoreInput> Validate(const v1::ScoreRequest& request) {
  return ReadScore(request, Limits(), FamilyTable::Paper(), false);
}

void ExpectFieldError(const absl::Status& status, const std::string& field) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
  EXPECT_THAT(std::string(status.message()), StartsWith(field + " "));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr(kPatient)));
}

template <typename Request>
struct Refusal {
  const char* field;
  std::function<void(Request&)> spoil;
};

using G = v1::GenerateRequest;
using S = v1::ScoreRequest;

// Checks that Generate and Score share.
template <typename Request>
std::vector<Refusal<Request>> CommonRefusals() {
  return {
      {"request_id", [](auto& r) { r.set_request_id("zebra 1"); }},
      {"request_id", [](auto& r) { r.set_request_id("zebra/1"); }},
      {"request_id", [](auto& r) { r.set_request_id("zebra\xc3\xa9"); }},
      {"request_id", [](auto& r) { r.set_request_id("zebra\n"); }},
      {"request_id", [](auto& r) { r.set_request_id(std::string("a\0", 2)); }},
      {"request_id", [](auto& r) { r.set_request_id(std::string(129, 'a')); }},
      {"prompt", [](auto& r) { r.clear_input(); }},
      {"prompt", [](auto& r) { r.set_prompt(""); }},
      {"prompt",
       [](auto& r) { r.set_prompt(std::string((1 << 20) + 1, 'a')); }},
      {"chat.messages", [](auto& r) { r.mutable_chat(); }},
      {"chat.messages",
       [](auto& r) {
         for (int i = 0; i < 257; ++i) {
           AddMessage(*r.mutable_chat(), v1::ROLE_USER);
         }
       }},
      {"chat.messages",
       [](auto& r) {
         for (int i = 0; i < 2; ++i) {
           AddMessage(*r.mutable_chat(), v1::ROLE_USER,
                      std::string((1 << 19) + 1, 'a'));
         }
       }},
      {"chat.messages",
       [](auto& r) {
         AddMessage(*r.mutable_chat(), v1::ROLE_USER);
         AddMessage(*r.mutable_chat(), v1::ROLE_ASSISTANT);
       }},
      {"chat.messages",
       [](auto& r) { AddMessage(*r.mutable_chat(), v1::ROLE_SYSTEM); }},
      {"chat.messages[0].role",
       [](auto& r) { AddMessage(*r.mutable_chat(), v1::ROLE_UNSPECIFIED); }},
      {"chat.messages[1].role",
       [](auto& r) {
         AddMessage(*r.mutable_chat(), v1::ROLE_USER);
         AddMessage(*r.mutable_chat(), static_cast<v1::Role>(4));
       }},
      {"chat.messages[0].role",
       [](auto& r) {
         AddMessage(*r.mutable_chat(), static_cast<v1::Role>(-1));
       }},
      {"chat.messages[1].content",
       [](auto& r) {
         AddMessage(*r.mutable_chat(), v1::ROLE_SYSTEM);
         AddMessage(*r.mutable_chat(), v1::ROLE_USER, "");
       }},
      {"tokenized.input_ids", [](auto& r) { r.mutable_tokenized(); }},
      {"tokenized.input_ids[1]",
       [](auto& r) {
         r.mutable_tokenized()->add_input_ids(999);
         r.mutable_tokenized()->add_input_ids(1000);
       }},
      {"tokenized.input_ids[0]",
       [](auto& r) { r.mutable_tokenized()->add_input_ids(-1); }},
      {"priority", [](auto& r) { r.set_priority(101); }},
      {"priority", [](auto& r) { r.set_priority(-101); }},
      {"priority", [](auto& r) { r.set_priority(INT32_MIN); }},
      {"language", [](auto& r) { r.set_language("zebra"); }},
      {"language", [](auto& r) { r.set_language("tr"); }},
      {"routing",
       [](auto& r) { r.set_routing(static_cast<v1::RoutingMode>(3)); }},
      {"routing",
       [](auto& r) { r.set_routing(static_cast<v1::RoutingMode>(-1)); }},
  };
}

TEST(ReadGenerateTest, RefusesInvalidSharedFields) {
  for (const auto& [field, spoil] : CommonRefusals<G>()) {
    G request = FullRequest();
    spoil(request);
    ExpectFieldError(Validate(request).status(), field);
  }
}

TEST(ReadScoreTest, RefusesInvalidSharedFields) {
  for (const auto& [field, spoil] : CommonRefusals<S>()) {
    S request = FullScore();
    spoil(request);
    ExpectFieldError(Validate(request).status(), field);
  }
}

TEST(ReadGenerateTest, RefusesNumbersOutOfRange) {
  const struct {
    const char* field;
    void (v1::SamplingParams::*set)(float);
    std::vector<float> values;
  } kCases[] = {
      {"sampling.temperature",
       &v1::SamplingParams::set_temperature,
       {-1, -1e-30f, 100.1f, kNan, kInfinity, -kInfinity}},
      {"sampling.top_p",
       &v1::SamplingParams::set_top_p,
       {-0.1f, 1.0001f, kNan, kInfinity, -kInfinity}},
      {"sampling.presence_penalty",
       &v1::SamplingParams::set_presence_penalty,
       {-2.1f, 2.1f, kNan, kInfinity, -kInfinity}},
      {"sampling.frequency_penalty",
       &v1::SamplingParams::set_frequency_penalty,
       {-2.1f, 2.1f, kNan, kInfinity, -kInfinity}},
      {"sampling.min_p",
       &v1::SamplingParams::set_min_p,
       {-0.1f, 1.0001f, kNan, kInfinity, -kInfinity}},
  };
  for (const auto& c : kCases) {
    for (const float value : c.values) {
      G request = FullRequest();
      (request.mutable_sampling()->*c.set)(value);
      ExpectFieldError(Validate(request).status(), c.field);
    }
  }
}

TEST(ReadGenerateTest, RefusesCountsAndStopsOutOfRange) {
  const Refusal<G> kCases[] = {
      {"sampling.top_k",
       [](G& r) { r.mutable_sampling()->set_top_k(1u << 31); }},
      {"sampling.choices", [](G& r) { r.mutable_sampling()->set_choices(9); }},
      {"sampling.choices",
       [](G& r) { r.mutable_sampling()->set_choices(UINT32_MAX); }},
      {"max_new_tokens", [](G& r) { r.set_max_new_tokens(4097); }},
      {"max_new_tokens", [](G& r) { r.set_max_new_tokens(UINT32_MAX); }},
      {"logprobs", [](G& r) { r.set_logprobs(21); }},
      {"logprobs", [](G& r) { r.set_logprobs(UINT32_MAX); }},
      {"prompt_logprobs", [](G& r) { r.set_prompt_logprobs(21); }},
      {"stop_token_ids",
       [](G& r) {
         for (int i = 0; i < 65; ++i) r.add_stop_token_ids(i);
       }},
      {"stop_token_ids[0]", [](G& r) { r.add_stop_token_ids(-1); }},
      {"stop_token_ids[1]",
       [](G& r) {
         r.add_stop_token_ids(999);
         r.add_stop_token_ids(1000);
       }},
      {"stop[1]", [](G& r) { r.add_stop(""); }},
      {"stop[1]", [](G& r) { r.add_stop(std::string(257, 'z')); }},
      {"stop",
       [](G& r) {
         for (int i = 0; i < 16; ++i) r.add_stop(kPatient);
       }},
  };
  for (const auto& [field, spoil] : kCases) {
    G request = FullRequest();
    spoil(request);
    ExpectFieldError(Validate(request).status(), field);
  }
}

TEST(ReadGenerateTest, RefusesAWrongBiasWithoutNamingTheToken) {
  for (const auto& [token, bias] : {std::pair(777, 100.1f),
                                    {777, -100.1f},
                                    {777, kNan},
                                    {-777, 1.0f},
                                    {1777, 1.0f}}) {
    G request = FullRequest();
    (*request.mutable_sampling()->mutable_logit_bias())[token] = bias;
    const absl::Status status = Validate(request).status();
    ExpectFieldError(status, "sampling.logit_bias");
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("777")));
  }
  G many = FullRequest();
  for (int i = 0; i < 301; ++i) {
    (*many.mutable_sampling()->mutable_logit_bias())[i] = 1;
  }
  ExpectFieldError(Validate(many).status(), "sampling.logit_bias");
}

TEST(ReadGenerateTest, ErrorsNeverQuoteTokenIds) {
  G request = FullRequest();
  request.mutable_tokenized()->add_input_ids(12345);
  request.add_stop_token_ids(54321);
  const absl::Status status = Validate(request).status();
  EXPECT_EQ(status.message(),
            "tokenized.input_ids[0] is outside the vocabulary; it must be from "
            "0 to 999; stop_token_ids[0] is outside the vocabulary; it must be "
            "from 0 to 999");
}

TEST(ReadGenerateTest, NamesAllWrongFieldsAtOnce) {
  G request;
  request.set_request_id("zebra 1");
  request.set_routing(static_cast<v1::RoutingMode>(9));
  request.set_priority(101);
  request.set_language("zebra");
  request.mutable_sampling()->set_temperature(-1);
  request.mutable_sampling()->set_top_k(1u << 31);
  // Known to be wrong only by the vocabulary.
  (*request.mutable_sampling()->mutable_logit_bias())[1000] = 1;
  request.mutable_sampling()->set_choices(9);
  request.add_stop("");
  request.set_logprobs(21);
  std::vector<std::string> fields;
  for (const auto& problem : FieldProblemsOf(Validate(request).status())) {
    fields.push_back(problem.field);
  }
  EXPECT_THAT(fields,
              testing::ElementsAre("prompt", "routing", "sampling.temperature",
                                   "sampling.top_k", "request_id", "priority",
                                   "language", "sampling.logit_bias",
                                   "sampling.choices", "stop[0]", "logprobs"));
}

TEST(ReadGenerateTest, TakesTokenIds) {
  G request;
  for (const int id : {0, 999, 7}) {
    request.mutable_tokenized()->add_input_ids(id);
  }
  const auto input = Validate(request);
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_TRUE(input->input.is_tokens);
  EXPECT_EQ(input->input.tokens, (std::vector<std::int32_t>{0, 999, 7}));
  S score;
  *score.mutable_tokenized() = request.tokenized();
  score.add_continuations("x");
  const auto scored = Validate(score);
  ASSERT_TRUE(scored.ok()) << scored.status();
  EXPECT_EQ(scored->input.tokens, input->input.tokens);
}

TEST(ReadGenerateTest, TakesTheLimitsThemselves) {
  G request = FullRequest();
  request.set_request_id(std::string(128, 'a'));
  request.set_prompt(std::string(1 << 20, 'a'));
  v1::SamplingParams& s = *request.mutable_sampling();
  s.set_temperature(100);
  s.set_top_p(1);
  s.set_top_k(INT32_MAX);
  s.set_presence_penalty(-2);
  s.set_frequency_penalty(2);
  s.set_choices(8);
  s.set_min_p(1);
  for (int i = 0; i < 300; ++i) {
    (*s.mutable_logit_bias())[999 - i] = i % 2 == 0 ? 100 : -100;
  }
  for (int i = 0; i < 64; ++i) request.add_stop_token_ids(936 + i);
  request.set_prompt_logprobs(20);
  s.set_seed(UINT64_MAX);
  request.set_max_new_tokens(4096);
  request.set_logprobs(20);
  for (int i = 1; i < 16; ++i) request.add_stop(std::string(256, 'b'));
  request.set_parse_special_tokens(true);
  request.set_ignore_eos(true);
  request.set_priority(-100);
  const auto input = Validate(request);
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(input->sampling.temperature, 100);
  EXPECT_EQ(input->sampling.top_p, 1);
  EXPECT_EQ(input->sampling.top_k, INT32_MAX);
  EXPECT_EQ(input->sampling.presence_penalty, -2);
  EXPECT_EQ(input->sampling.frequency_penalty, 2);
  EXPECT_EQ(input->sampling.seed, UINT64_MAX);
  EXPECT_TRUE(input->has_seed);
  EXPECT_EQ(input->sampling.min_p, 1);
  ASSERT_EQ(input->sampling.logit_bias.size(), 300u);
  // In the order of the tokens.
  EXPECT_EQ(input->sampling.logit_bias[0], (LogitBias{700, -100}));
  EXPECT_EQ(input->sampling.logit_bias[299], (LogitBias{999, 100}));
  EXPECT_EQ(input->stop_tokens.size(), 64u);
  EXPECT_TRUE(input->wants_prompt_logprobs);
  EXPECT_EQ(input->prompt_logprobs, 20);
  EXPECT_EQ(input->choices, 8);
  EXPECT_EQ(input->max_new_tokens, 4096);
  EXPECT_TRUE(input->wants_logprobs);
  EXPECT_EQ(input->top_logprobs, 20);
  EXPECT_EQ(input->stops.size(), 16u);
  EXPECT_TRUE(input->input.parse_special_tokens);
  EXPECT_TRUE(input->ignore_eos);
  EXPECT_EQ(input->input.priority, -100);
  EXPECT_EQ(input->input.language, "de");
}

TEST(ReadGenerateTest, TheLanguageBecomesACodeOfTheTable) {
  for (const char* given : {"de", "DE", "deu", "ger", "de-AT", "de_DE.UTF-8",
                            "German", "Deutsch"}) {
    G request;
    request.set_prompt("x");
    request.set_language(given);
    const auto input = Validate(request);
    ASSERT_TRUE(input.ok()) << given << ": " << input.status();
    EXPECT_EQ(input->input.language, "de") << given;
  }
  G request;
  request.set_prompt("x");
  request.set_language("Germn");
  const std::string error(Validate(request).status().message());
  EXPECT_NE(error.find("did you mean \"de\" (German)?"), std::string::npos)
      << error;
  EXPECT_EQ(error.find("Germn"), std::string::npos) << error;
}

TEST(ReadGenerateTest, FillsInTheDefaults) {
  G request;
  request.set_prompt("x");
  const auto input = Validate(request);
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_FALSE(input->input.is_chat);
  EXPECT_EQ(input->input.prompt, "x");
  EXPECT_EQ(input->input.request_id, "");
  EXPECT_EQ(input->input.language, "");
  EXPECT_EQ(input->sampling.temperature, 0);
  EXPECT_EQ(input->sampling.top_p, 1);  // 0 means 1.
  EXPECT_EQ(input->sampling.top_k, 0);
  EXPECT_EQ(input->sampling.min_p, 0);
  EXPECT_TRUE(input->sampling.logit_bias.empty());
  EXPECT_TRUE(input->stop_tokens.empty());
  EXPECT_FALSE(input->wants_prompt_logprobs);
  EXPECT_FALSE(input->has_seed);
  EXPECT_EQ(input->choices, 1);
  EXPECT_EQ(input->max_new_tokens, 0);
  EXPECT_FALSE(input->wants_logprobs);
  EXPECT_FALSE(input->ignore_eos);
  EXPECT_EQ(input->input.priority, 0);
}

TEST(ReadGenerateTest, LogprobsZeroIsNotUnset) {
  G request = FullRequest();
  request.set_logprobs(0);
  const auto input = Validate(request);
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_TRUE(input->wants_logprobs);
  EXPECT_EQ(input->top_logprobs, 0);
}

TEST(ReadGenerateTest, SeedZeroIsNotUnset) {
  G request = FullRequest();
  request.mutable_sampling()->set_seed(0);
  const auto input = Validate(request);
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_TRUE(input->has_seed);
}

TEST(ReadGenerateTest, TheDefaultRoutingAppliesOnlyIfNoneIsAskedFor) {
  const struct {
    v1::RoutingMode asked;
    bool default_hybrid;
    bool hybrid;
  } kCases[] = {
      {v1::ROUTING_MODE_UNSPECIFIED, false, false},
      {v1::ROUTING_MODE_UNSPECIFIED, true, true},
      {v1::ROUTING_MODE_TOPK, true, false},
      {v1::ROUTING_MODE_HYBRID, false, true},
  };
  for (const auto& c : kCases) {
    G request = FullRequest();
    request.set_routing(c.asked);
    const auto input = Validate(request, c.default_hybrid);
    ASSERT_TRUE(input.ok()) << input.status();
    EXPECT_EQ(input->input.hybrid, c.hybrid) << c.asked << c.default_hybrid;
  }
}

TEST(ReadGenerateTest, TakesAChatInItsOrder) {
  G request;
  AddMessage(*request.mutable_chat(), v1::ROLE_SYSTEM, "s");
  AddMessage(*request.mutable_chat(), v1::ROLE_USER, "u");
  AddMessage(*request.mutable_chat(), v1::ROLE_ASSISTANT,
             "");  // An empty answer.
  AddMessage(*request.mutable_chat(), v1::ROLE_USER, "v");
  const auto input = Validate(request);
  ASSERT_TRUE(input.ok()) << input.status();
  ASSERT_TRUE(input->input.is_chat);
  const std::vector<ChatTurn>& chat = input->input.chat;
  ASSERT_EQ(chat.size(), 4u);
  EXPECT_EQ(chat[0].role, ChatRole::kSystem);
  EXPECT_EQ(chat[1].role, ChatRole::kUser);
  EXPECT_EQ(chat[2].role, ChatRole::kAssistant);
  EXPECT_EQ(chat[3].content, "v");
}

TEST(ReadScoreTest, ChecksTheContinuations) {
  const Refusal<S> kCases[] = {
      {"continuations", [](S& r) { r.clear_continuations(); }},
      {"continuations",
       [](S& r) {
         for (int i = 0; i < 64; ++i) r.add_continuations(kPatient);
       }},
      {"continuations[1]", [](S& r) { r.add_continuations(""); }},
      {"continuations",
       [](S& r) { r.add_continuations(std::string(1 << 20, 'a')); }},
  };
  for (const auto& [field, spoil] : kCases) {
    S request = FullScore();
    spoil(request);
    ExpectFieldError(Validate(request).status(), field);
  }
  const auto input = Validate(FullScore());
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(input->continuations, std::vector<std::string>{kPatient});
}

v1::GenerateRequest Resumed() {
  v1::GenerateRequest request = FullRequest();
  request.set_max_new_tokens(3);
  request.mutable_sampling()->set_seed(9);
  request.mutable_sampling()->set_choices(2);
  v1::Resume& resume = *request.mutable_resume();
  resume.set_seed(9);
  resume.set_language("de");
  resume.set_family(4);
  resume.set_numerics("cpu/f32+cpu/int8");
  v1::ResumedChoice& choice = *resume.add_choices();
  choice.add_token_ids(999);
  choice.add_token_ids(0);
  choice.set_text_bytes(7);
  resume.add_choices()->set_finished(true);
  return request;
}

TEST(ReadResumeTest, EveryFieldIsRead) {
  const auto input = Validate(Resumed());
  ASSERT_TRUE(input.ok()) << input.status();
  ASSERT_TRUE(input->resume);
  const ResumeInput& resume = *input->resume;
  EXPECT_EQ(resume.seed, 9u);
  EXPECT_EQ(resume.language, "de");
  EXPECT_EQ(resume.family, 4);
  EXPECT_EQ(resume.numerics, "cpu/f32+cpu/int8");
  ASSERT_EQ(resume.choices.size(), 2u);
  EXPECT_EQ(resume.choices[0].tokens, (std::vector<std::int32_t>{999, 0}));
  EXPECT_FALSE(resume.choices[0].finished);
  EXPECT_EQ(resume.choices[0].text_bytes, 7);
  EXPECT_TRUE(resume.choices[1].finished);
  EXPECT_EQ(resume.choices[1].text_bytes, std::nullopt);
  EXPECT_FALSE(Validate(FullRequest())->resume);
}

TEST(ReadResumeTest, WhatContradictsTheRequestIsRefusedByName) {
  struct Case {
    const char* field;
    std::function<void(v1::GenerateRequest&, v1::Resume&)> spoil;
  };
  const std::vector<Case> cases = {
      {"resume.choices", [](auto&, auto& r) { r.add_choices(); }},
      {"resume.choices[0].token_ids",
       [](auto&, auto& r) {
         for (int i = 0; i < 2; ++i) r.mutable_choices(0)->add_token_ids(1);
       }},
      {"resume.choices[1].token_ids[0]",
       [](auto&, auto& r) { r.mutable_choices(1)->add_token_ids(1000); }},
      {"resume.choices[1].token_ids[0]",
       [](auto&, auto& r) { r.mutable_choices(1)->add_token_ids(-1); }},
      {"resume.seed", [](auto&, auto& r) { r.set_seed(8); }},
      {"resume.language", [](auto&, auto& r) { r.set_language("fr"); }},
      {"resume.language", [](auto&, auto& r) { r.set_language(kPatient); }},
      {"resume.family", [](auto&, auto& r) { r.set_family(3); }},
      {"resume.family", [](auto&, auto& r) { r.set_family(-1); }},
      {"resume.family",
       [](auto& q, auto& r) {
         q.clear_language();
         r.set_family(7);
       }},
      {"resume.family",
       [](auto& q, auto& r) {
         q.clear_language();
         r.clear_language();
       }},
      {"resume.numerics", [](auto&, auto& r) { r.set_numerics(kPatient); }},
  };
  for (const Case& one : cases) {
    v1::GenerateRequest request = Resumed();
    one.spoil(request, *request.mutable_resume());
    ExpectFieldError(Validate(request).status(), one.field);
  }
}

TEST(ReadResumeTest, ADetectedLanguageNeedNotHaveTheFamily) {
  v1::GenerateRequest request = Resumed();
  request.clear_language();
  for (const int family : {-1, 0, 6}) {
    request.mutable_resume()->set_family(family);
    EXPECT_TRUE(Validate(request).ok()) << family;
  }
}

}  // namespace
}  // namespace apollo
