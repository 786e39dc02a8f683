#include "serving/process_metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <string>
#include <thread>

namespace apollo {
namespace {

double ValueOf(const prometheus::MetricFamily& family) {
  const prometheus::ClientMetric& metric = family.metric.at(0);
  return family.type == prometheus::MetricType::Counter ? metric.counter.value
                                                        : metric.gauge.value;
}

std::map<std::string, double> Values() {
  std::map<std::string, double> values;
  for (const auto& family : ProcessMetrics().Collect()) {
    values[family.name] = ValueOf(family);
  }
  return values;
}

TEST(ProcessMetricsTest, EachMetricIsPublishedOnceInOrder) {
  std::map<std::string, double> values = Values();
  EXPECT_EQ(values.size(), std::size(kProcessMetrics));
  for (const MetricSpec& spec : kProcessMetrics) {
    EXPECT_TRUE(values.contains(spec.name)) << spec.name;
  }
}

TEST(ProcessMetricsTest, TheBuildIsTold) {
  const auto families = ProcessMetrics().Collect();
  ASSERT_FALSE(families.empty());
  EXPECT_EQ(families[0].name, "apollo_build_info");
  ASSERT_EQ(families[0].metric.size(), 1u);
  ASSERT_EQ(families[0].metric[0].label.size(), 2u);
  EXPECT_EQ(families[0].metric[0].label[0].name, "commit");
  EXPECT_EQ(families[0].metric[0].label[1].name, "version");
  EXPECT_EQ(ValueOf(families[0]), 1);
}

TEST(ProcessMetricsTest, NumbersAreThoseOfTheSystem) {
  const std::map<std::string, double> values = Values();
  const double now = std::chrono::duration<double>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
  // The time of the boot is known to a second.
  EXPECT_LE(values.at("process_start_time_seconds"), now + 2);
  EXPECT_GT(values.at("process_start_time_seconds"), now - 24 * 3600);
  EXPECT_GE(values.at("process_cpu_seconds_total"), 0);
  EXPECT_GE(values.at("process_virtual_memory_bytes"),
            values.at("process_resident_memory_bytes"));
  EXPECT_GT(values.at("process_resident_memory_bytes"), 1 << 20);
  EXPECT_GE(values.at("process_max_fds"), values.at("process_open_fds"));
  EXPECT_GE(values.at("process_threads"), 1);
}

TEST(ProcessMetricsTest, FilesAndThreadsAreCounted) {
  const std::map<std::string, double> before = Values();
  const int file = dup(0);
  std::map<std::string, double> after;
  // The thread that looks is the second one.
  std::thread([&after] { after = Values(); }).join();
  close(file);
  EXPECT_EQ(after.at("process_open_fds"), before.at("process_open_fds") + 1);
  // ThreadSanitizer may have begun one of its own.
  EXPECT_GE(after.at("process_threads"), before.at("process_threads") + 1);
}

}  // namespace
}  // namespace apollo
