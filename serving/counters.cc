#include "serving/counters.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace apollo {

void Distribution::Observe(double value) {
  APOLLO_CHECK(value >= 0);
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  sum_.store(sum() + value, std::memory_order_relaxed);
  ++counts_[static_cast<std::size_t>(bound - bounds_.begin())];
}

std::int64_t Distribution::count() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
}

CountTable::CountTable(std::vector<Axis> rows, Axis columns)
    : rows_(std::move(rows)),
      columns_(std::move(columns)),
      width_(columns_.label.empty() ? 1 : columns_.values.size()) {
  std::size_t count = 1;
  for (const Axis& axis : rows_) count *= axis.values.size();
  counts_ = std::vector<Count>(count * width_);
  used_ = std::vector<Level>(count);
}

std::size_t CountTable::RowAt(std::initializer_list<int> at) const {
  APOLLO_CHECK(at.size() == rows_.size());
  std::size_t row = 0;
  auto axis = rows_.begin();
  for (const int value : at) {
    const std::size_t values = (axis++)->values.size();
    APOLLO_CHECK(value >= 0 && static_cast<std::size_t>(value) < values);
    row = row * values + static_cast<std::size_t>(value);
  }
  return row;
}

std::span<Count> CountTable::Use(std::initializer_list<int> at) {
  const std::size_t row = RowAt(at);
  used_[row] = 1;
  return std::span(counts_).subspan(row * width_, width_);
}

std::span<const Count> CountTable::Row(std::initializer_list<int> at) const {
  const std::size_t row = RowAt(at);
  if (used_[row] == 0) return {};
  return std::span(counts_).subspan(row * width_, width_);
}

std::vector<MetricLabel> CountTable::LabelsOf(std::size_t row) const {
  std::vector<MetricLabel> labels(rows_.size());
  for (std::size_t a = rows_.size(); a-- > 0;) {
    const std::vector<std::string>& values = rows_[a].values;
    labels[a] = {rows_[a].label, values[row % values.size()]};
    row /= values.size();
  }
  return labels;
}

std::vector<std::string> CountTable::labels() const {
  std::vector<std::string> names;
  for (const Axis& axis : rows_) names.push_back(axis.label);
  if (!columns_.label.empty()) names.push_back(columns_.label);
  return names;
}

void CountTable::ForEachUsed(const Visit& visit) const {
  for (std::size_t row = 0; row < used_.size(); ++row) {
    if (used_[row] == 0) continue;
    for (std::size_t column = 0; column < width_; ++column) {
      std::vector<MetricLabel> labels = LabelsOf(row);
      if (!columns_.label.empty()) {
        labels.push_back({columns_.label, columns_.values[column]});
      }
      visit(std::move(labels), counts_[row * width_ + column]);
    }
  }
}

}  // namespace apollo
