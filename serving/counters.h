#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/check.h"

// Numbers that a part of a worker keeps of what it does, and the rows of the
// table under which they are published. A struct of them belongs to the one
// thread that counts; any thread may read it meanwhile, or copy it. Counting
// takes no lock and makes no system call: it is as cheap as with plain
// integers.
namespace apollo {

// Only goes up.
class Count {
 public:
  Count() = default;
  Count(const Count& other) : value_(other) {}
  Count& operator=(const Count&) = delete;

  Count& operator++() { return *this += 1; }
  // Not negative.
  Count& operator+=(std::int64_t n) {
    APOLLO_CHECK(n >= 0);
    // Nobody else writes, so this needs no read-modify-write.
    value_.store(*this + n, std::memory_order_relaxed);
    return *this;
  }
  operator std::int64_t() const {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t> value_{0};
};

// How many there are now: goes up and down.
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

// A label of a metric, with one of its values.
struct MetricLabel {
  std::string name;
  std::string value;
};

// Counts for all combinations of the values that some labels can have: rows of
// counts. A row is published, with all of its counts, once it is used. Nothing
// is allocated after construction.
class CountTable {
 public:
  struct Axis {
    std::string label;
    std::vector<std::string> values;
  };

  // No rows.
  CountTable() = default;
  // A row for each combination of values of `rows`, and in it one count for
  // each value of `columns`; a single one, without a label, if there are none.
  explicit CountTable(std::vector<Axis> rows, Axis columns = {});

  // The counts of a row, which counts as used from now on. `at`: the number of
  // a value of each axis. Only the thread that counts.
  std::span<Count> Use(std::initializer_list<int> at);
  // The same to read; empty if the row was never used.
  std::span<const Count> Row(std::initializer_list<int> at) const;

  // Calls `visit` with the labels, in the order of the axes, and the number of
  // each count of the rows in use.
  using Visit =
      std::function<void(std::vector<MetricLabel> labels, std::int64_t number)>;
  void ForEachUsed(const Visit& visit) const;

 private:
  std::size_t RowAt(std::initializer_list<int> at) const;
  std::vector<MetricLabel> LabelsOf(std::size_t row) const;

  std::vector<Axis> rows_;
  Axis columns_;
  std::size_t width_ = 0;
  std::vector<Count> counts_;  // [rows, width]
  std::vector<Level> used_;    // [rows]: 1 if used.
};

// A row of the table of metrics that belongs to a struct of counters: under
// which name a member is published. Its type is the member's: a Count is a
// counter, a Level a gauge, a CountTable counters with the table's labels.
template <typename Counters>
struct MetricRow {
  // "apollo_...". Rows of one name stand together, have the same help, and
  // differ in the value of their label.
  const char* name;
  const char* help;
  std::variant<Count Counters::*, Level Counters::*, CountTable Counters::*>
      member;
  const char* label = "";
  const char* value = "";
};

}  // namespace apollo
