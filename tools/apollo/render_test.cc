#include "tools/apollo/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/json.h"
#include "tools/apollo/errors.h"
#include "tools/apollo/fake_server.h"
#include "tools/apollo/placement_table.h"
#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

using ::testing::HasSubstr;

TEST(RenderTest, StartedNamesWhatServes) {
  EXPECT_EQ(
      StartedLine(Started().started()),
      "language de (0.98), family 4 (Indo-European), routing hybrid, dense "
      "worker dense-0, expert worker expert-1, 12 prompt tokens");
}

TEST(RenderTest, UnknownLanguageIsSaid) {
  v1::GenerateStarted started;
  started.set_family(-1);
  started.set_routing(v1::ROUTING_MODE_TOPK);
  started.set_prompt_tokens(5);
  started.set_cached_tokens(3);
  EXPECT_EQ(StartedLine(started),
            "language unknown, family none, routing topk, 5 prompt tokens (3 "
            "cached)");
}

TEST(RenderTest, TheReasonForNoFamilyIsSaid) {
  v1::GenerateStarted started;
  started.set_language("de");
  started.set_confidence(0.25f);
  started.set_family(-1);
  started.set_likely_family(4);
  started.set_family_confidence(0.375f);
  started.set_language_threshold(0.5f);
  const struct {
    v1::NoFamilyReason reason;
    const char* family;
  } kCases[] = {
      {v1::NO_FAMILY_REASON_NOT_DETECTED, "none (no language detected)"},
      {v1::NO_FAMILY_REASON_UNCERTAIN,
       "none (family 4 is uncertain: 0.38 < 0.50)"},
      {v1::NO_FAMILY_REASON_NOT_IN_FAMILIES, "none (a language of no family)"},
      {v1::NO_FAMILY_REASON_DENSE_MODEL, "none (the model has no experts)"},
  };
  for (const auto& c : kCases) {
    started.set_no_family_reason(c.reason);
    EXPECT_THAT(StartedLine(started),
                HasSubstr(std::string("language de (0.25), family ") +
                          c.family + ", routing"));
  }
  started.set_language_given(true);
  EXPECT_THAT(StartedLine(started), HasSubstr("language de (given), family "));
}

TEST(RenderTest, FinishedGivesTheDecodingSpeed) {
  // 10 tokens after the first one, in half a second.
  EXPECT_EQ(FinishedLine(Finished().finished()),
            "11 tokens in 1.00 s, the first after 0.50 s, then 20.0 tokens/s, "
            "ended by length");
  v1::GenerateFinished nothing;
  nothing.set_reason(v1::FINISH_REASON_EOS);
  EXPECT_EQ(FinishedLine(nothing), "0 tokens in 0.00 s, ended by eos");
}

TEST(RenderTest, JsonKeepsNamesAndDefaults) {
  const auto json = ParseJson(JsonLine(Started()), "line");
  ASSERT_TRUE(json.ok()) << json.status();
  const Json& started = (*json)["started"];
  EXPECT_EQ(started["prompt_tokens"], 12);
  EXPECT_EQ(started["cached_tokens"], 0);
  EXPECT_EQ(started["routing"], "ROUTING_MODE_HYBRID");
  EXPECT_EQ(started["seed"], "18446744073709551615");
  EXPECT_EQ(json->size(), 1u);
  EXPECT_EQ(JsonLine(Delta("a\nb")).find('\n'), std::string::npos);
}

TEST(RenderTest, LogprobsGetALineEach) {
  v1::GenerateDelta delta;
  delta.set_index(4);
  delta.add_token_ids(10);
  delta.add_token_ids(11);
  EXPECT_EQ(LogprobLines(delta), "");
  delta.add_logprobs()->set_logprob(-0.25f);
  v1::TokenLogprobs& second = *delta.add_logprobs();
  second.set_logprob(-1);
  v1::TokenAlternative& other = *second.add_alternatives();
  other.set_token("\xc3");
  other.set_logprob(-1);
  EXPECT_EQ(LogprobLines(delta),
            "    4       10    -0.2500 \n"
            "    5       11    -1.0000  \"\\xc3\" -1.0000\n");
}

TEST(RenderTest, LogprobsOfThePromptHaveItsPositions) {
  v1::PromptLogprobs prompt;
  prompt.set_index(4);
  prompt.add_token_ids(17);
  v1::TokenLogprobs& logprobs = *prompt.add_logprobs();
  logprobs.set_logprob(-1.5);
  logprobs.add_alternatives()->set_token("a");
  EXPECT_EQ(LogprobLines(prompt), "    4       17    -1.5000  \"a\" 0.0000\n");
}

TEST(RenderTest, FinishedTellsWhatMatched) {
  v1::GenerateFinished finished;
  finished.set_reason(v1::FINISH_REASON_STOP);
  finished.set_matched_stop_index(0);
  EXPECT_THAT(FinishedLine(finished), testing::EndsWith("by stop string 0"));
  finished.set_matched_token_id(257);
  EXPECT_THAT(FinishedLine(finished), testing::EndsWith("by stop token 257"));
}

TEST(RenderTest, TheBestScoreIsMarked) {
  v1::ScoreRequest request;
  request.add_continuations(" A");
  request.add_continuations(" B\n");
  v1::ScoreResponse response;
  response.add_scores()->set_logprob(-2.5);
  v1::ContinuationScore& second = *response.add_scores();
  second.set_logprob(-0.5);
  second.add_token_ids(1);
  response.set_best(1);
  EXPECT_EQ(ScoreLines(request, response),
            "     -2.5000    0 tokens  \" A\"\n"
            "*    -0.5000    1 token   \" B\\n\"\n");
}

TEST(RenderTest, TokensAreQuoted) {
  v1::TokenizeResponse response;
  response.add_token_ids(5);
  response.add_tokens("\xe0\xa4");
  response.add_token_ids(6);
  response.add_tokens(" h\xc3\xa9");
  EXPECT_EQ(TokenLines(response), "5\t\"\\xe0\\xa4\"\n6\t\" h\xc3\xa9\"\n");
}

TEST(RenderTest, QuotedKeepsTextAndEscapesTheRest) {
  EXPECT_EQ(Quoted(""), "\"\"");
  EXPECT_EQ(Quoted("a\"b\\\n"), "\"a\\\"b\\\\\\n\"");
  EXPECT_EQ(Quoted("\xff\xe2\x82\xac\x80"), "\"\\xff\xe2\x82\xac\\x80\"");
}

TEST(RenderTest, LanguageAndCandidates) {
  v1::DetectLanguageResponse response;
  response.set_language("sw");
  response.set_confidence(0.875f);
  response.set_family(6);
  response.set_family_name("Niger-Congo");
  v1::LanguageCandidate& candidate = *response.add_candidates();
  candidate.set_language("sw");
  candidate.set_confidence(0.875f);
  candidate.set_family(6);
  EXPECT_EQ(LanguageLines(response),
            "language sw (0.88), family 6 (Niger-Congo)\n"
            "  sw   0.875  family 6\n");
  response.set_family(-1);
  response.set_family_name("");
  response.set_likely_family(6);
  response.set_family_confidence(0.875f);
  response.set_language_threshold(0.9f);
  response.set_no_family_reason(v1::NO_FAMILY_REASON_UNCERTAIN);
  EXPECT_EQ(LanguageLines(response),
            "language sw (0.88), family none (family 6 is uncertain: 0.88 < "
            "0.90)\n"
            "  sw   0.875  family 6\n");
}

TEST(RenderTest, ModelShowsFamilies) {
  v1::GetModelResponse model;
  model.set_name("demo");
  v1::FamilyInfo& family = *model.add_families();
  family.set_expert(2);
  family.set_name("Mainland");
  family.add_languages("th");
  family.add_languages("vi");
  model.set_language_threshold(0.5f);
  EXPECT_THAT(ModelLines(model), HasSubstr("language from    0.50 on\n"));
  model.add_expected_languages("de");
  model.add_expected_languages("tr");
  EXPECT_THAT(ModelLines(model),
              HasSubstr("language from    0.50 on, expected: de tr\n"));
  EXPECT_THAT(ModelLines(model), HasSubstr("name             demo\n"));
  EXPECT_THAT(ModelLines(model), HasSubstr("  expert 2  Mainland: th vi\n"));
}

TEST(ModelTest, AModelMayHaveNoExperts) {
  v1::GetModelResponse model;
  model.set_layers(24);
  model.set_boundary(23);
  EXPECT_THAT(
      ModelLines(model),
      HasSubstr("layers           24, the first on expert workers is 23\n"));
  EXPECT_THAT(ModelLines(model), HasSubstr("experts          none\n"));
  model.set_experts(7);
  model.set_experts_per_token(2);
  EXPECT_THAT(ModelLines(model), HasSubstr("the first sparse one is 23\n"));
  EXPECT_THAT(ModelLines(model),
              HasSubstr("experts          7, 2 per token\n"));
  EXPECT_THAT(RoutingLines({}), HasSubstr("the model has no sparse layers\n"));
}

TEST(Utf8Test, FindsTheFirstBadByte) {
  EXPECT_EQ(FirstInvalidUtf8("h\xc3\xa9\xf0\x9f\x98\x80"), kAllValid);
  EXPECT_EQ(FirstInvalidUtf8(std::string_view("a\0b", 3)), kAllValid);
  EXPECT_EQ(FirstInvalidUtf8("a\xc3"), 1u);               // Truncated.
  EXPECT_EQ(FirstInvalidUtf8("\xc0\xaf"), 0u);            // Overlong.
  EXPECT_EQ(FirstInvalidUtf8("ab\xf4\x90\x80\x80"), 2u);  // Beyond Unicode.
}

TEST(Utf8Test, TerminalGetsNoControlCharacters) {
  EXPECT_EQ(ForTerminal("a\tb\n\x1b[2J\x7f\xc2\x9b"),
            "a\tb\n\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(ErrorsTest, FieldsAreListed) {
  const grpc::Status status =
      BadRequest("1 field is wrong", "sampling.top_p", "must be in (0, 1]");
  EXPECT_EQ(ErrorText({.status = status}, "h:1"),
            "error: INVALID_ARGUMENT: 1 field is wrong\n"
            "  sampling.top_p: must be in (0, 1]\n");
  EXPECT_EQ(ErrorJson({.status = status}),
            R"({"error":{"code":"INVALID_ARGUMENT","field_violations":)"
            R"([{"description":"must be in (0, 1]","field":"sampling.top_p"}],)"
            R"("message":"1 field is wrong"}})");
}

TEST(ErrorsTest, AMessageIsNotRepeated) {
  EXPECT_EQ(ErrorText({.status = BadRequest("top_p is bad", "top_p", "is bad")},
                      "h:1"),
            "error: INVALID_ARGUMENT: top_p is bad\n");
}

TEST(ErrorsTest, ARouterThatCannotServeIsNotBlamed) {
  const Failure failure{.status = Unavailable("a worker was lost", 500),
                        .request_id = "cli-1",
                        .answered = true};
  EXPECT_EQ(
      ErrorText(failure, "h:1"),
      "error: UNAVAILABLE: a worker was lost\n"
      "  Try again in 0.5 s.\n"
      "  The router answers, but cannot serve this now. \"apollo status\" "
      "shows which\n  processes of the cluster are missing.\n"
      "  In the logs, the request is cli-1.\n");
  EXPECT_THAT(ErrorJson(failure),
              AllOf(HasSubstr("\"retry_after_seconds\":0.5"),
                    HasSubstr("\"request_id\":\"cli-1\"")));
}

TEST(ErrorsTest, AServerThatIsNotReachedIsNamed) {
  const grpc::Status status(
      grpc::StatusCode::UNAVAILABLE,
      "failed to connect to all addresses; last error: UNKNOWN: "
      "ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused");
  const std::string text = ErrorText({.status = status}, "h:1");
  EXPECT_THAT(text, HasSubstr("error: UNAVAILABLE: no connection to the "
                              "server: Connection refused\n"));
  EXPECT_THAT(text, HasSubstr("The server is h:1 (change it with --server"));
  EXPECT_EQ(text.find("apollo status"), std::string::npos);
}

TEST(ErrorsTest, AdviceFitsTheCode) {
  const auto text = [](grpc::StatusCode code) {
    return ErrorText({.status = grpc::Status(code, "m")}, "h:1");
  };
  EXPECT_THAT(text(grpc::StatusCode::DEADLINE_EXCEEDED),
              HasSubstr("--timeout"));
  EXPECT_THAT(text(grpc::StatusCode::UNIMPLEMENTED),
              HasSubstr("h:1 is no router"));
  EXPECT_EQ(text(grpc::StatusCode::INTERNAL), "error: INTERNAL: m\n");
}

TEST(ErrorsTest, UnreadableDetailsAreLeftOut) {
  const grpc::Status status(grpc::StatusCode::INTERNAL, "broken", "\xff\xff");
  EXPECT_EQ(ErrorText({.status = status}, "h:1"), "error: INTERNAL: broken\n");
}

TEST(RenderTest, RoutingHasATableForEachLayer) {
  v1::GetRoutingResponse routing;
  routing.set_experts_per_token(2);
  routing.add_sources()->set_covered_seconds(12);
  v1::LanguageRouting& de = *routing.add_languages();
  de.set_language("de");
  de.set_family(1);
  de.set_tokens(10);
  de.set_family_tokens(8);
  for (const int layer : {22, 23}) {
    v1::LayerExpertUse& use = *de.add_layers();
    use.set_layer(layer);
    for (const int n : {layer - 20, 13, 25 - layer + 2}) {
      use.add_tokens_by_expert(n);
    }
    use.set_off_family_tokens(layer - 20);
  }
  v1::LanguageRouting& und = *routing.add_languages();
  und.set_language("und");
  und.set_family(-1);
  und.set_tokens(1);
  und.add_layers()->set_layer(23);
  und.mutable_layers(0)->add_tokens_by_expert(2);
  EXPECT_EQ(RoutingLines(routing),
            "the last 12 s on 1 dense worker, 2 experts per token\n"
            "layer 22  family      tokens  exp 0   exp 1   exp 2   off family\n"
            "  de      1               10   10.0%   65.0%   25.0%   25.0%\n"
            "layer 23  family      tokens  exp 0   exp 1   exp 2   off family\n"
            "  de      1               10   15.0%   65.0%   20.0%   37.5%\n"
            "  und     none             1  100.0%      -\n");
}

TEST(PlacementTest, HasALineForEachExpertInOneState) {
  v1::GetStatusResponse status;
  status.add_processes()->set_role(v1::PROCESS_ROLE_ROUTER);
  v1::ProcessStatus& expert = *status.add_processes();
  expert.set_role(v1::PROCESS_ROLE_EXPERT_WORKER);
  expert.set_name("e0");
  v1::PlacementReport& placement = *expert.mutable_placement();
  const auto add = [&placement](int layer, int e, v1::ExpertHold hold,
                                int since, int own, int absent, int guests) {
    v1::PlacedExpert& placed = *placement.add_experts();
    placed.set_layer(layer);
    placed.set_expert(e);
    placed.set_hold(hold);
    placed.set_since(since);
    placed.set_own_rows(own);
    placed.set_absent_rows(absent);
    placed.set_guest_rows(guests);
  };
  add(22, 0, v1::EXPERT_HOLD_FLAG, 1000, 40, 0, 7);
  add(22, 3, v1::EXPERT_HOLD_STANDBY, 4590, 5, 5, 0);
  add(23, 5, v1::EXPERT_HOLD_ABSENT, 0, 900, 900, 0);
  placement.set_last_move("expert 0 of layer 22 loaded");
  placement.set_last_move_at(4480);
  EXPECT_EQ(PlacementTable(status, 4600),
            "e0\n"
            "  layer  expert  held     for  own rows  absent  guests\n"
            "  22     0       flag     1h   40        0       7\n"
            "  22     3       standby  10s  5         5       0\n"
            "  23     5       absent   -    900       900     0\n"
            "  last move, 2m ago: expert 0 of layer 22 loaded\n");
  placement.Clear();
  v1::LayerPlacement& layer = *placement.add_layers();
  layer.set_layer(22);
  layer.set_kept(126);
  layer.set_standby(1);
  layer.set_own_rows(40);
  layer.set_guest_rows(7);
  EXPECT_EQ(PlacementTable(status, 4600),
            "e0\n"
            "  layer  kept  standby  own rows  absent  guests\n"
            "  22     126   1        40        0       7\n");
  placement.Clear();
  EXPECT_EQ(PlacementTable(status, 4600), "e0\n  reports no placement\n");
}

}  // namespace
}  // namespace apollo::client
