// Short runs of scenarios of faults, in clusters of real processes: tokens,
// ends and resources must be right. Pauses are printed, not judged.

#include <absl/strings/str_split.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "tests/e2e/cluster.h"
#include "tests/faults/network/own_network.h"
#include "tests/faults/scenarios/scenario.h"

// APOLLO_SCENARIOS: the names of scenarios, separated by commas.
#define APOLLO_TEXT(...) #__VA_ARGS__
#define APOLLO_TEXT_OF(...) APOLLO_TEXT(__VA_ARGS__)

namespace apollo {
namespace {

class FaultsTest : public testing::TestWithParam<std::string> {};

TEST_P(FaultsTest, Passes) {
  const Scenario* const scenario = FindScenario(GetParam());
  ASSERT_NE(scenario, nullptr) << "no scenario " << GetParam();
  Settings settings;
  settings.programs = Runfile(".");
  settings.model = Runfile("tests/golden/published");
  // Only such scenarios are in a test with one: there are no threads yet.
  if (scenario->own_network) settings.network = LeaveMachineNetwork();
  const Outcome outcome = RunScenario(*scenario, settings);
  std::printf("%s\n", Table({outcome}).c_str());
  for (const std::string& problem : outcome.problems) {
    ADD_FAILURE() << problem;
  }
  if (!outcome.skipped.empty()) GTEST_SKIP() << outcome.skipped;
  EXPECT_GT(outcome.faults, 0);
  EXPECT_GT(outcome.requests, 0);
}

INSTANTIATE_TEST_SUITE_P(Scenarios, FaultsTest,
                         testing::ValuesIn(std::vector<std::string>(
                             absl::StrSplit(APOLLO_TEXT_OF(APOLLO_SCENARIOS),
                                            ','))),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace apollo
