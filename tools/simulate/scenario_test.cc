#include "tools/simulate/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "common/json.h"

namespace apollo::simulate {
namespace {

using testing::HasSubstr;

Json Valid() {
  return Json::parse(R"({
    "traffic": {"streams": 1, "languages": {"en": 1}},
    "times": {"dense": [[1, 0.01], [11, 0.03]], "attention": [[1, 0]],
              "expert": [[1, 0]], "head": [[1, 0]]}})");
}

// Returns the message of the error for the scenario with a part merged in.
std::string ErrorOf(const std::string& part) {
  Json json = Valid();
  json.merge_patch(Json::parse(part));
  const auto scenario = ReadScenario(json, "");
  EXPECT_EQ(scenario.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(scenario.status().message());
}

TEST(ScenarioTest, ValuesReplaceDefaults) {
  Json json = Valid();
  json["model"] = {{"experts", 12}, {"affinity", 0.5}};
  json["expert_workers"] = {{"count", 3}, {"placement", {{0, 1}, {2}}}};
  json["traffic"]["prompt_tokens"] = {3, 9};
  const auto scenario = ReadScenario(json, "");
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  EXPECT_EQ(scenario->model.experts, 12);
  EXPECT_EQ(scenario->model.sparse_layers, 2);
  EXPECT_EQ(scenario->model.affinity, 0.5);
  EXPECT_EQ(scenario->expert.fixed.size(), 2u);
  EXPECT_EQ(scenario->traffic.prompt_least, 3);
  EXPECT_EQ(scenario->traffic.prompt_most, 9);
  EXPECT_EQ(scenario->traffic.languages[0].family, 4);
}

TEST(ScenarioTest, ErrorsNameKeyValueAndWhatIsValid) {
  EXPECT_EQ(ErrorOf(R"({"model": {"affinity": 2}})"),
            "model.affinity is 2; it must be a number from 0 to 1");
  EXPECT_EQ(ErrorOf(R"({"seconds": "60"})"),
            "seconds is \"60\"; it must be a number from 0.001 to 1e+06");
  EXPECT_THAT(ErrorOf(R"({"dense_workers": {"cuont": 2}})"),
              HasSubstr("dense_workers.cuont is unknown; known here: "
                        "cache_tokens, count, "));
  EXPECT_EQ(ErrorOf(R"({"model": 7})"), "model is 7; it must be an object");
  EXPECT_THAT(ErrorOf(R"({"expert_workers": {"pinning": "always"}})"),
              HasSubstr("\"always\"; it must be strict, prefer or none"));
  EXPECT_THAT(ErrorOf(R"({"expert_workers": {"placement": [[9]]}})"),
              HasSubstr("expert_workers.placement must be"));
  EXPECT_THAT(ErrorOf(R"({"traffic": {"languages": {"xx": 1}}})"),
              HasSubstr("traffic.languages.xx is no language"));
  EXPECT_THAT(ErrorOf(R"({"traffic": {"requests_per_second": 1}})"),
              HasSubstr("traffic.requests_per_second or streams"));
  EXPECT_THAT(ErrorOf(R"({"traffic": {"surges": [{"language": "sw"}]}})"),
              HasSubstr("traffic.surges[0].language is \"sw\""));
  EXPECT_THAT(ErrorOf(R"({"failures": [{"expert_worker": 1}]})"),
              HasSubstr("failures[0].expert_worker is 1"));
  EXPECT_THAT(ErrorOf(R"({"times": {"dense": [[2, 1], [1, 1]]}})"),
              HasSubstr("times.dense must be a list of [rows, seconds]"));
  EXPECT_THAT(ErrorOf(R"({"dense_workers": {"cache_tokens": 100}})"),
              HasSubstr("dense_workers.cache_tokens is 100"));
  EXPECT_THAT(ErrorOf(R"({"traffic": null})"), HasSubstr("traffic is missing"));
}

TEST(ScenarioTest, TimesAreLinearBetweenMeasuredRows) {
  const RowTimes times({{1, 0.01}, {11, 0.03}, {21, 0.04}});
  EXPECT_EQ(times.Of(0), 0);
  EXPECT_EQ(times.Of(1), FromSeconds(0.01));
  EXPECT_EQ(times.Of(6), FromSeconds(0.02));
  EXPECT_EQ(times.Of(11), FromSeconds(0.03));
  EXPECT_EQ(times.Of(41), FromSeconds(0.06));
  EXPECT_EQ(RowTimes({{8, 0.5}}).Of(100), FromSeconds(0.5));
}

// The scenarios that the project has.
TEST(ScenarioTest, TheExamplesAreValid) {
  int found = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator("tools/simulate/scenarios")) {
    const std::string path = entry.path().string();
    if (path.find("times_") != std::string::npos) continue;
    const auto scenario = LoadScenario(path);
    EXPECT_TRUE(scenario.ok()) << scenario.status();
    ++found;
  }
  EXPECT_GE(found, 8);
  const auto missing = LoadScenario("tools/simulate/scenarios/none.json");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace apollo::simulate
