#pragma once

#include <absl/strings/str_split.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace apollo {

enum class MetricKind { kCounter, kGauge, kHistogram };

// A metric that is not a member of a struct of counters (serving/counters.h).
// It is made and documented from this description, so that docs/metrics.md
// lists it.
struct MetricSpec {
  const char* name;  // Begins with "apollo_", or with "process_".
  MetricKind kind;
  const char* help;
  const char* labels = "";  // Their names, separated by commas.
  // The largest number of combinations of label values in one process.
  int most_series = 1;
  std::span<const double> bounds = {};  // Of a histogram (serving/buckets.h).
};

// Returns the description with this name; the compiler checks that the list has
// one.
template <std::size_t kSpecs>
consteval const MetricSpec& SpecOf(const MetricSpec (&specs)[kSpecs],
                                   std::string_view name) {
  for (const MetricSpec& spec : specs) {
    if (spec.name == name) return spec;
  }
  throw "no such metric";
}

// Each of the following registers the metric, or finds the registered one; the
// registry owns it. The labels are those of the description.
using MetricLabels = std::map<std::string, std::string>;

inline prometheus::Family<prometheus::Counter>& CounterFamily(
    prometheus::Registry& registry, const MetricSpec& spec) {
  return prometheus::BuildCounter().Name(spec.name).Help(spec.help).Register(
      registry);
}
inline prometheus::Counter& AddCounter(prometheus::Registry& registry,
                                       const MetricSpec& spec,
                                       const MetricLabels& labels = {}) {
  return CounterFamily(registry, spec).Add(labels);
}

inline prometheus::Gauge& AddGauge(prometheus::Registry& registry,
                                   const MetricSpec& spec,
                                   const MetricLabels& labels = {}) {
  return prometheus::BuildGauge()
      .Name(spec.name)
      .Help(spec.help)
      .Register(registry)
      .Add(labels);
}

inline prometheus::Family<prometheus::Histogram>& HistogramFamily(
    prometheus::Registry& registry, const MetricSpec& spec) {
  return prometheus::BuildHistogram().Name(spec.name).Help(spec.help).Register(
      registry);
}
// Adds a series of a histogram; all of a family have the same buckets.
inline prometheus::Histogram& AddSeries(
    prometheus::Family<prometheus::Histogram>& family, const MetricSpec& spec,
    const MetricLabels& labels) {
  return family.Add(labels, prometheus::Histogram::BucketBoundaries(
                                spec.bounds.begin(), spec.bounds.end()));
}
inline prometheus::Histogram& AddHistogram(prometheus::Registry& registry,
                                           const MetricSpec& spec,
                                           const MetricLabels& labels = {}) {
  return AddSeries(HistogramFamily(registry, spec), spec, labels);
}

// The facts of a metric, as docs/metrics.md lists them.
struct MetricFacts {
  std::string name;
  MetricKind kind = MetricKind::kCounter;
  std::string help;
  std::vector<std::string> labels;
  // The largest number of samples in one process: a histogram has one for each
  // bucket, its sum and its count.
  std::int64_t most_samples = 0;
};

// Returns the samples of one series of a histogram with these bounds.
inline std::int64_t SamplesOf(std::span<const double> bounds) {
  return std::ssize(bounds) + 3;
}

inline MetricFacts FactsOf(const MetricSpec& spec) {
  MetricFacts facts{spec.name, spec.kind, spec.help, {}, spec.most_series};
  facts.labels = absl::StrSplit(spec.labels, ',', absl::SkipEmpty());
  if (spec.kind == MetricKind::kHistogram) {
    facts.most_samples *= SamplesOf(spec.bounds);
  }
  return facts;
}

inline std::vector<MetricFacts> FactsOf(std::span<const MetricSpec> specs) {
  std::vector<MetricFacts> all;
  for (const MetricSpec& spec : specs) all.push_back(FactsOf(spec));
  return all;
}

}  // namespace apollo
