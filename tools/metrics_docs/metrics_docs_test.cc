#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <string>

#include "tools/metrics_docs/markdown.h"
#include "tools/metrics_docs/metric_list.h"

namespace apollo {
namespace {

TEST(MetricsDocsTest, TheDocumentHasTheMetricsOfTheCode) {
  std::ifstream in("docs/metrics.md");
  const std::string document((std::istreambuf_iterator<char>(in)),
                             std::istreambuf_iterator<char>());
  ASSERT_NE(document, "");
  const auto current = WithTables(document, ToMarkdown(ListMetrics()));
  ASSERT_TRUE(current.ok()) << current.status();
  EXPECT_EQ(document, *current)
      << "run: bazel run //tools/metrics_docs -- --update $PWD/docs/metrics.md";
}

// The bounds that docs/metrics.md states. Whoever exceeds one of them makes
// each Prometheus server hold more, for every process.
TEST(MetricsDocsTest, TheSamplesOfAProcessAreBounded) {
  const auto most = MostSamples(ListMetrics());
  EXPECT_LE(most.at(Program::kRouter), 2500);
  EXPECT_LE(most.at(Program::kDenseWorker), 1000);
  EXPECT_LE(most.at(Program::kExpertWorker), 2000);
  EXPECT_LE(most.at(Program::kLocal), 4000);
}

TEST(MetricsDocsTest, NamesFollowTheConventions) {
  const std::regex name("(apollo|process)_[a-z0-9_]+"), label("[a-z_]+");
  for (const ListedMetric& metric : ListMetrics()) {
    const MetricFacts& facts = metric.facts;
    SCOPED_TRACE(facts.name);
    EXPECT_TRUE(std::regex_match(facts.name, name));
    EXPECT_FALSE(metric.programs.empty());
    EXPECT_GT(facts.most_samples, 0);
    EXPECT_EQ(facts.help.back(), '.');
    EXPECT_EQ(facts.help.find('|'), std::string::npos);
    for (const std::string& one : facts.labels) {
      EXPECT_TRUE(std::regex_match(one, label)) << one;
    }
    const bool total = facts.name.ends_with("_total");
    EXPECT_EQ(total, facts.kind == MetricKind::kCounter);
    EXPECT_EQ(facts.name.find("milliseconds"), std::string::npos);
  }
}

TEST(MetricsDocsTest, OnlyTheTablesOfADocumentAreReplaced) {
  const std::string begin(kTablesBegin), end(kTablesEnd);
  const auto text = WithTables("a\n" + begin + "old\n" + end + "z\n", "new\n");
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "a\n" + begin + "new\n" + end + "z\n");
  for (const std::string& wrong :
       {begin, end, end + begin, begin + end + begin + end}) {
    EXPECT_EQ(WithTables(wrong, "").status().code(),
              absl::StatusCode::kInvalidArgument)
        << wrong;
  }
}

}  // namespace
}  // namespace apollo
