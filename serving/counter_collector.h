#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <cstddef>
#include <variant>
#include <vector>

#include "serving/counters.h"

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

  // Omits families without values, whose tables have no used rows.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  struct Series {
    const char* name;
    const char* help;
    const char* label;
    const char* value;
    std::variant<const Count*, const Level*, const CountTable*> number;
  };
  static void AddTo(prometheus::MetricFamily& family, const Series& series);

  std::vector<Series> series_;
};

}  // namespace apollo
