#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/check.h"

// Counters of a part of a worker, and the table rows that publish them as
// metrics. A struct of counters is written by one thread; any thread may read
// or copy it at the same time. Counting takes no lock and makes no system call,
// and is as cheap as with plain integers.
namespace apollo {

// A number that only increases.
class Count {
 public:
  Count() = default;
  Count(const Count& other) : value_(other) {}
  Count& operator=(const Count&) = delete;

  Count& operator++() { return *this += 1; }
  // `n` must not be negative.
  Count& operator+=(std::int64_t n) {
    APOLLO_CHECK(n >= 0);
    // There is only one writer, so this needs no read-modify-write.
    value_.store(*this + n, std::memory_order_relaxed);
    return *this;
  }
  operator std::int64_t() const {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t> value_{0};
};

// A current number, which may increase and decrease.
class Level {
 public:
  Level() = default;
  Level(const Level& other) : value_(other) {}
  Level& operator=(const Level&) = delete;

  Level& operator=(std::int64_t n) {
    value_.store(n, std::memory_order_relaxed);
    return *this;
  }
  operator std::int64_t() const {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t> value_{0};
};

// A current part of a whole, from 0 to 1.
class Fraction {
 public:
  Fraction() = default;
  Fraction(const Fraction& other) : value_(other) {}
  Fraction& operator=(const Fraction&) = delete;

  Fraction& operator=(double part) {
    value_.store(part, std::memory_order_relaxed);
    return *this;
  }
  operator double() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// The distribution of a measured quantity: how many observations were at most
// as large as each of some bounds. Nothing is allocated after construction.
class Distribution {
 public:
  // `bounds` (serving/buckets.h) are in ascending order and must outlive the
  // distribution. The quantity has their unit.
  explicit Distribution(std::span<const double> bounds)
      : bounds_(bounds), counts_(bounds.size() + 1) {}

  // For the writing thread only. `value` must not be negative.
  void Observe(double value);

  std::span<const double> bounds() const { return bounds_; }
  // Returns the observations above the bound before, up to that of the index;
  // those above all bounds at the index bounds().size().
  std::int64_t in_bucket(std::size_t index) const { return counts_[index]; }
  std::int64_t count() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }
  Distribution(const Distribution& other)
      : bounds_(other.bounds_), counts_(other.counts_), sum_(other.sum()) {}
  Distribution& operator=(const Distribution&) = delete;

 private:
  std::span<const double> bounds_;
  std::vector<Count> counts_;  // [bounds + 1]
  std::atomic<double> sum_{0};
};

// A label of a metric with a value.
struct MetricLabel {
  std::string name;
  std::string value;
};

// A table of counts: a row for each combination of label values. A row is
// published, with all of its counts, once it has been used. Nothing is
// allocated after construction.
class CountTable {
 public:
  struct Axis {
    std::string label;
    std::vector<std::string> values;
  };

  // Makes a table without rows.
  CountTable() = default;
  // Makes a table with a row for each combination of values of `rows`. Each row
  // has one count for each value of `columns`, or a single one without a label
  // if `columns` is empty.
  explicit CountTable(std::vector<Axis> rows, Axis columns = {});

  // Returns the counts of a row, which counts as used from now on. `at` has the
  // index of a value of each axis. For the writing thread only.
  std::span<Count> Use(std::initializer_list<int> at);
  // Returns the counts of a row for reading; empty if the row was never used.
  std::span<const Count> Row(std::initializer_list<int> at) const;

  // Calls `visit` with the labels, in the order of the axes, and the value of
  // each count of the used rows.
  using Visit =
      std::function<void(std::vector<MetricLabel> labels, std::int64_t number)>;
  void ForEachUsed(const Visit& visit) const;

  // Returns the names of the labels, in the order of the axes.
  std::vector<std::string> labels() const;
  // Returns the number of counts if all rows are used.
  std::size_t most_series() const { return counts_.size(); }

 private:
  std::size_t RowAt(std::initializer_list<int> at) const;
  std::vector<MetricLabel> LabelsOf(std::size_t row) const;

  std::vector<Axis> rows_;
  Axis columns_;
  std::size_t width_ = 0;
  std::vector<Count> counts_;  // [rows, width]
  std::vector<Level> used_;    // [rows]: 1 if used.
};

// Current numbers by the value of one label; all of them are published. Nothing
// is allocated after construction.
class LevelTable {
 public:
  // Makes a table without levels.
  LevelTable() = default;
  explicit LevelTable(CountTable::Axis axis)
      : axis_(std::move(axis)), levels_(axis_.values.size()) {}

  // `at` is the index of a value of the axis. For the writing thread only.
  Level& operator[](std::size_t at) { return levels_.at(at); }
  std::int64_t operator[](std::size_t at) const { return levels_.at(at); }

  const CountTable::Axis& axis() const { return axis_; }

 private:
  CountTable::Axis axis_;
  std::vector<Level> levels_;  // One for each value of the axis.
};

// A row of the metrics table of a struct of counters: the metric of one member.
// The type of the metric follows from that of the member: a Count is a counter,
// a Level or a Fraction a gauge, a Distribution a histogram, a CountTable
// counters and a LevelTable gauges with the table's labels.
template <typename Counters>
struct MetricRow {
  // Begins with "apollo_". Rows of one name are adjacent, have the same help,
  // and differ in the value of their label.
  const char* name;
  const char* help;
  std::variant<Count Counters::*, Level Counters::*, CountTable Counters::*,
               Fraction Counters::*, Distribution Counters::*,
               LevelTable Counters::*>
      member;
  const char* label = "";
  const char* value = "";
};

}  // namespace apollo
