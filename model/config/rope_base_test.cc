#include "model/config/rope_base.h"

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace apollo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RopeBaseTest : public testing::Test {
 protected:
  absl::StatusOr<double> Read(const Json& config) {
    warnings_.clear();
    return ReadRopeBase(config, "dir/config.json", warnings_);
  }
  std::vector<std::string> warnings_;
};

TEST_F(RopeBaseTest, IsInTheConfigOrInAnObject) {
  const Json object = {{"rope_type", "default"}, {"rope_theta", 5e5}};
  for (const Json& config :
       {Json{{"rope_theta", 5e5}}, Json{{"rope_theta", 500000}},
        Json{{"rope_parameters", object}}, Json{{"rope_scaling", object}},
        Json{{"rope_theta", 5e5}, {"rope_parameters", object}},
        Json{{"rope_theta", nullptr}, {"rope_parameters", object}},
        Json{{"rope_theta", 5e5}, {"rope_scaling", nullptr}},
        Json{{"rope_theta", 5e5}, {"rope_parameters", Json::object()}},
        Json{{"rope_parameters", object}, {"rope_scaling", object}},
        Json{{"rope_parameters", object}, {"rope_scaling", Json::object()}},
        Json{{"rope_theta", 5e5},
             {"rope_parameters", object},
             {"rope_scaling", {{"rope_type", "default"}}}},
        Json{{"rope_scaling", object},
             {"rope_parameters", {{"rope_type", "default"}}}}}) {
    const auto base = Read(config);
    ASSERT_TRUE(base.ok()) << config << base.status();
    EXPECT_EQ(*base, 5e5) << config;
    EXPECT_THAT(warnings_, IsEmpty()) << config;
  }
}

TEST_F(RopeBaseTest, ThatOfTheObjectWinsWithAWarning) {
  EXPECT_EQ(*Read({{"rope_theta", 10000},
                   {"rope_parameters", {{"rope_theta", 500000}}}}),
            5e5);
  EXPECT_THAT(warnings_,
              ElementsAre("dir/config.json: \"rope_theta\" is 10000, but "
                          "\"rope_parameters.rope_theta\" is 500000; the "
                          "latter is used"));
}

TEST_F(RopeBaseTest, MissingWrongAndContradictoryBasesAreNamed) {
  const struct {
    Json config;
    const char* says;
  } kCases[] = {
      {Json::object(), "key \"rope_theta\" is missing"},
      {{{"rope_parameters", {{"rope_type", "default"}}}},
       "key \"rope_theta\" is missing"},
      {{{"rope_theta", 0}}, "\"rope_theta\" is 0"},
      {{{"rope_theta", 1e4}, {"rope_parameters", {{"rope_theta", -1}}}},
       "\"rope_parameters.rope_theta\" is -1; it must be a finite number"},
      {{{"rope_theta", "x"}, {"rope_parameters", {{"rope_theta", 1e4}}}},
       "\"rope_theta\" is \"x\"; it must be a number above 0"},
      {{{"rope_parameters", {{"rope_theta", 1e4}}},
        {"rope_scaling", {{"rope_theta", 2e4}}}},
       "\"rope_scaling.rope_theta\" is 20000; it must be that of "
       "\"rope_parameters.rope_theta\", 10000"},
      {{{"rope_parameters", {{"rope_theta", 1e4}}},
        {"rope_scaling", {{"type", "yarn"}}}},
       "key \"rope_scaling.rope_theta\" is missing; it must be that of "
       "\"rope_parameters.rope_theta\", 10000"},
  };
  for (const auto& c : kCases) {
    const auto base = Read(c.config);
    EXPECT_EQ(base.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(base.status().message()),
                AllOf(HasSubstr("dir/config.json: "), HasSubstr(c.says)));
  }
}

}  // namespace
}  // namespace apollo
