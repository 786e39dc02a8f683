#include "serving/counter_collector.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

namespace apollo {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricType TypeOf(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return MetricType::Counter;
    case MetricKind::kGauge:
      return MetricType::Gauge;
    case MetricKind::kHistogram:
      break;
  }
  return MetricType::Histogram;
}

ClientMetric Labelled(std::vector<MetricLabel> labels) {
  ClientMetric metric;
  for (MetricLabel& label : labels) {
    metric.label.push_back({std::move(label.name), std::move(label.value)});
  }
  std::sort(metric.label.begin(), metric.label.end());
  return metric;
}

ClientMetric MetricOf(std::vector<MetricLabel> labels, MetricType type,
                      double value) {
  ClientMetric metric = Labelled(std::move(labels));
  if (type == MetricType::Gauge) {
    metric.gauge.value = value;
  } else {
    metric.counter.value = value;
  }
  return metric;
}

ClientMetric MetricOf(std::vector<MetricLabel> labels,
                      const Distribution& distribution) {
  ClientMetric metric = Labelled(std::move(labels));
  std::uint64_t count = 0;
  for (std::size_t i = 0; i <= distribution.bounds().size(); ++i) {
    // The count is that of the buckets, whatever is counted meanwhile.
    count += static_cast<std::uint64_t>(distribution.in_bucket(i));
    const double bound = i < distribution.bounds().size()
                             ? distribution.bounds()[i]
                             : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({count, bound});
  }
  metric.histogram.sample_count = count;
  metric.histogram.sample_sum = distribution.sum();
  return metric;
}

}  // namespace

MetricKind CounterCollector::KindOf(const Number& number) {
  if (std::holds_alternative<const Count*>(number) ||
      std::holds_alternative<const CountTable*>(number)) {
    return MetricKind::kCounter;
  }
  return std::holds_alternative<const Distribution*>(number)
             ? MetricKind::kHistogram
             : MetricKind::kGauge;
}

void CounterCollector::AddTo(MetricFamily& family, const Series& series) {
  std::vector<MetricLabel> labels;
  if (*series.label != '\0') labels.push_back({series.label, series.value});
  const auto add = [&family](std::vector<MetricLabel> of, double value) {
    family.metric.push_back(MetricOf(std::move(of), family.type, value));
  };
  if (const auto* table = std::get_if<const CountTable*>(&series.number)) {
    (*table)->ForEachUsed(
        [&add](std::vector<MetricLabel> of, std::int64_t number) {
          add(std::move(of), static_cast<double>(number));
        });
  } else if (const auto* levels =
                 std::get_if<const LevelTable*>(&series.number)) {
    const CountTable::Axis& axis = (*levels)->axis();
    for (std::size_t i = 0; i < axis.values.size(); ++i) {
      add({{axis.label, axis.values[i]}}, static_cast<double>((**levels)[i]));
    }
  } else if (const auto* spread =
                 std::get_if<const Distribution*>(&series.number)) {
    family.metric.push_back(MetricOf(std::move(labels), **spread));
  } else if (const auto* part = std::get_if<const Fraction*>(&series.number)) {
    add(std::move(labels), **part);
  } else if (const auto* level = std::get_if<const Level*>(&series.number)) {
    add(std::move(labels), static_cast<double>(std::int64_t{**level}));
  } else {
    const Count& count = *std::get<const Count*>(series.number);
    add(std::move(labels), static_cast<double>(std::int64_t{count}));
  }
}

std::vector<MetricFamily> CounterCollector::Collect() const {
  std::vector<MetricFamily> families;
  for (const Series& series : series_) {
    if (families.empty() || families.back().name != series.name) {
      families.push_back(
          {series.name, series.help, TypeOf(KindOf(series.number)), {}});
    }
    AddTo(families.back(), series);
  }
  std::erase_if(families, [](const MetricFamily& family) {
    return family.metric.empty();
  });
  for (const Info& info : infos_) {
    families.push_back({info.spec.name,
                        info.spec.help,
                        MetricType::Gauge,
                        {MetricOf(info.labels, MetricType::Gauge, 1)}});
  }
  return families;
}

std::vector<MetricFacts> CounterCollector::Facts() const {
  std::vector<MetricFacts> all;
  for (const Series& series : series_) {
    if (all.empty() || all.back().name != series.name) {
      all.push_back({series.name, KindOf(series.number), series.help, {}, 0});
      if (*series.label != '\0') all.back().labels.push_back(series.label);
    }
    MetricFacts& facts = all.back();
    std::int64_t samples = 1;
    if (const auto* table = std::get_if<const CountTable*>(&series.number)) {
      facts.labels = (*table)->labels();
      samples = static_cast<std::int64_t>((*table)->most_series());
    } else if (const auto* levels =
                   std::get_if<const LevelTable*>(&series.number)) {
      facts.labels = {(*levels)->axis().label};
      samples = std::ssize((*levels)->axis().values);
    } else if (const auto* spread =
                   std::get_if<const Distribution*>(&series.number)) {
      samples = SamplesOf((*spread)->bounds());
    }
    facts.most_samples += samples;
  }
  for (const Info& info : infos_) all.push_back(FactsOf(info.spec));
  return all;
}

}  // namespace apollo
