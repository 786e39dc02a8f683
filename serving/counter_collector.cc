#include "serving/counter_collector.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

namespace apollo {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

ClientMetric MetricOf(std::vector<MetricLabel> labels, MetricType type,
                      std::int64_t number) {
  ClientMetric metric;
  for (MetricLabel& label : labels) {
    metric.label.push_back({std::move(label.name), std::move(label.value)});
  }
  std::sort(metric.label.begin(), metric.label.end());
  const double value = static_cast<double>(number);
  if (type == MetricType::Gauge) {
    metric.gauge.value = value;
  } else {
    metric.counter.value = value;
  }
  return metric;
}

}  // namespace

void CounterCollector::AddTo(MetricFamily& family, const Series& series) {
  if (const auto* table = std::get_if<const CountTable*>(&series.number)) {
    (*table)->ForEachUsed([&family](std::vector<MetricLabel> labels,
                                    std::int64_t number) {
      family.metric.push_back(MetricOf(std::move(labels), family.type, number));
    });
    return;
  }
  const auto* level = std::get_if<const Level*>(&series.number);
  const std::int64_t number =
      level != nullptr ? std::int64_t{**level}
                       : std::int64_t{*std::get<const Count*>(series.number)};
  std::vector<MetricLabel> labels;
  if (*series.label != '\0') labels.push_back({series.label, series.value});
  family.metric.push_back(MetricOf(std::move(labels), family.type, number));
}

std::vector<MetricFamily> CounterCollector::Collect() const {
  std::vector<MetricFamily> families;
  for (const Series& series : series_) {
    if (families.empty() || families.back().name != series.name) {
      const bool gauge = std::holds_alternative<const Level*>(series.number);
      families.push_back({series.name,
                          series.help,
                          gauge ? MetricType::Gauge : MetricType::Counter,
                          {}});
    }
    AddTo(families.back(), series);
  }
  std::erase_if(families, [](const MetricFamily& family) {
    return family.metric.empty();
  });
  return families;
}

}  // namespace apollo
