#include "serving/counter_collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace apollo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Numbers {
  Count steps;
  Count red, blue;
  Level open;
  CountTable by_colour{{{"size", {"s", "m"}}}, {"colour", {"red", "blue"}}};
  CountTable unused{{{"size", {"s", "m"}}}};
};

constexpr MetricRow<Numbers> kTable[] = {
    {"apollo_steps_total", "Steps.", &Numbers::steps},
    {"apollo_rows_total", "Rows, by colour.", &Numbers::red, "colour", "red"},
    {"apollo_rows_total", "Rows, by colour.", &Numbers::blue, "colour", "blue"},
    {"apollo_open", "How many are open.", &Numbers::open},
    {"apollo_sized_total", "Rows, by size and colour.", &Numbers::by_colour},
    {"apollo_unused_total", "Rows, by size.", &Numbers::unused},
};

std::string Text(const CounterCollector& collector) {
  return prometheus::TextSerializer().Serialize(collector.Collect());
}

TEST(CounterCollectorTest, PublishesTheTable) {
  Numbers numbers;
  const CounterCollector collector(numbers, kTable);
  numbers.steps += 2;
  numbers.red += 3;
  numbers.blue += 4;
  numbers.open = 5;
  numbers.by_colour.Use({1})[0] += 6;
  EXPECT_EQ(Text(collector),
            "# HELP apollo_steps_total Steps.\n"
            "# TYPE apollo_steps_total counter\n"
            "apollo_steps_total 2\n"
            "# HELP apollo_rows_total Rows, by colour.\n"
            "# TYPE apollo_rows_total counter\n"
            "apollo_rows_total{colour=\"red\"} 3\n"
            "apollo_rows_total{colour=\"blue\"} 4\n"
            "# HELP apollo_open How many are open.\n"
            "# TYPE apollo_open gauge\n"
            "apollo_open 5\n"
            "# HELP apollo_sized_total Rows, by size and colour.\n"
            "# TYPE apollo_sized_total counter\n"
            "apollo_sized_total{colour=\"red\",size=\"m\"} 6\n"
            "apollo_sized_total{colour=\"blue\",size=\"m\"} 0\n");
}

TEST(CounterCollectorTest, RowsAppearWhenTheyAreUsed) {
  Numbers numbers;
  const CounterCollector collector(numbers, kTable);
  EXPECT_THAT(Text(collector), Not(HasSubstr("apollo_sized_total")));
  EXPECT_THAT(Text(collector), HasSubstr("apollo_steps_total 0\n"));
  ++numbers.by_colour.Use({0})[1];
  EXPECT_THAT(Text(collector),
              HasSubstr("apollo_sized_total{colour=\"blue\",size=\"s\"} 1\n"));
  EXPECT_THAT(Text(collector), Not(HasSubstr("size=\"m\"")));
}

constexpr double kBounds[] = {1, 2.5};

struct Measures {
  Distribution fast{kBounds}, slow{kBounds};
  Fraction used;
  LevelTable open{CountTable::Axis{"side", {"in", "out"}}};
};

constexpr MetricRow<Measures> kMeasures[] = {
    {"apollo_step_seconds", "Time, by speed.", &Measures::fast, "speed",
     "fast"},
    {"apollo_step_seconds", "Time, by speed.", &Measures::slow, "speed",
     "slow"},
    {"apollo_used_perc", "Part that is used.", &Measures::used},
    {"apollo_open", "How many are open, by side.", &Measures::open},
};

constexpr MetricSpec kFacts = {"apollo_facts_info", MetricKind::kGauge,
                               "Facts.", "size"};

TEST(CounterCollectorTest, PublishesHistogramsPartsAndFacts) {
  Measures measures;
  CounterCollector collector(measures, kMeasures);
  collector.AddInfo(kFacts, {{"size", "16"}});
  measures.slow.Observe(1);
  measures.slow.Observe(2);
  measures.slow.Observe(9);
  measures.used = 0.25;
  measures.open[1] = 3;
  const std::string text = Text(collector);
  for (const char* line :
       {"# TYPE apollo_step_seconds histogram\n",
        "apollo_step_seconds_count{speed=\"fast\"} 0\n",
        "apollo_step_seconds_count{speed=\"slow\"} 3\n",
        "apollo_step_seconds_sum{speed=\"slow\"} 12\n",
        "apollo_step_seconds_bucket{speed=\"slow\",le=\"1\"} 1\n",
        "apollo_step_seconds_bucket{speed=\"slow\",le=\"2.5\"} 2\n",
        "apollo_step_seconds_bucket{speed=\"slow\",le=\"+Inf\"} 3\n",
        "# TYPE apollo_used_perc gauge\n", "apollo_used_perc 0.25\n",
        "apollo_open{side=\"in\"} 0\n", "apollo_open{side=\"out\"} 3\n",
        "apollo_facts_info{size=\"16\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(CounterCollectorTest, FactsAreThoseOfTheTable) {
  const Measures measures;
  CounterCollector collector(measures, kMeasures);
  collector.AddInfo(kFacts, {{"size", "16"}});
  std::vector<MetricFacts> facts = collector.Facts();
  ASSERT_EQ(facts.size(), 4u);
  EXPECT_EQ(facts[0].name, "apollo_step_seconds");
  EXPECT_EQ(facts[0].kind, MetricKind::kHistogram);
  EXPECT_EQ(facts[0].labels, std::vector<std::string>{"speed"});
  EXPECT_EQ(facts[0].most_samples, 2 * (3 + 2));
  EXPECT_EQ(facts[1].kind, MetricKind::kGauge);
  EXPECT_EQ(facts[1].most_samples, 1);
  EXPECT_EQ(facts[2].labels, std::vector<std::string>{"side"});
  EXPECT_EQ(facts[2].most_samples, 2);
  EXPECT_EQ(facts[3].name, "apollo_facts_info");
  const Numbers numbers;
  facts = CounterCollector(numbers, kTable).Facts();
  EXPECT_EQ(facts[3].labels, (std::vector<std::string>{"size", "colour"}));
  EXPECT_EQ(facts[3].most_samples, 4);
}

// While a thread counts, no counter decreases or disappears.
TEST(CounterCollectorTest, CountersNeverDecrease) {
  Numbers numbers;
  const CounterCollector collector(numbers, kTable);
  std::atomic<bool> stop{false};
  std::thread counting([&numbers, &stop] {
    for (int i = 0; !stop; ++i) {
      ++numbers.steps;
      numbers.red += i % 3;
      numbers.open = i % 7;
      numbers.by_colour.Use({i % 2})[i % 2] += 2;
    }
  });
  std::map<std::string, double> last;
  // Until the other thread has counted enough.
  while (last["apollo_steps_total"] < 1000) {
    std::map<std::string, double> now;
    for (const prometheus::MetricFamily& family : collector.Collect()) {
      if (family.type != prometheus::MetricType::Counter) continue;
      for (const prometheus::ClientMetric& metric : family.metric) {
        std::string name = family.name;
        for (const auto& label : metric.label) name += " " + label.value;
        now[name] = metric.counter.value;
      }
    }
    for (const auto& [name, value] : last) EXPECT_GE(now[name], value) << name;
    last = now;
  }
  stop = true;
  counting.join();
}

}  // namespace
}  // namespace apollo
