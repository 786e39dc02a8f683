#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

#include "serving/counters.h"
#include "serving/metric_spec.h"

namespace apollo {

// Publishes a worker's counters according to its metrics table. Thread-safe,
// also while another thread counts: each value is one that its counter had, but
// two values may be some events apart.
class CounterCollector final : public prometheus::Collectable {
 public:
  // Both must outlive the collector.
  template <typename Counters, std::size_t kRows>
  CounterCollector(const Counters& counters,
                   const MetricRow<Counters> (&table)[kRows]) {
    for (const MetricRow<Counters>& row : table) {
      std::visit(
          [this, &counters, &row](const auto member) {
            series_.push_back({row.name, row.help, row.label, row.value,
                               &(counters.*member)});
          },
          row.member);
    }
  }

  // Also publishes a gauge that is always 1 and tells facts by its labels. Call
  // it before the first Collect.
  void AddInfo(const MetricSpec& spec, std::vector<MetricLabel> labels) {
    infos_.push_back({spec, std::move(labels)});
  }

  // Omits families without values, whose tables have no used rows.
  std::vector<prometheus::MetricFamily> Collect() const override;

  // Returns the facts of all metrics, each once, in the order of the table. The
  // samples of tables are those of the given counters.
  std::vector<MetricFacts> Facts() const;

 private:
  using Number =
      std::variant<const Count*, const Level*, const CountTable*,
                   const Fraction*, const Distribution*, const LevelTable*>;
  struct Series {
    const char* name;
    const char* help;
    const char* label;
    const char* value;
    Number number;
  };
  struct Info {
    MetricSpec spec;
    std::vector<MetricLabel> labels;
  };
  static MetricKind KindOf(const Number& number);
  static void AddTo(prometheus::MetricFamily& family, const Series& series);

  std::vector<Series> series_;
  std::vector<Info> infos_;
};

}  // namespace apollo
