#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/json.h"

namespace apollo {

// A bar that a long run must keep.
struct Bar {
  std::string name;
  double measured = 0;
  double limit = 0;
  bool Met() const { return measured <= limit; }
};

// The result of one scenario.
struct Outcome {
  std::string scenario;
  std::uint64_t seed = 0;
  bool long_run = false;
  // The reason for which it has not run; empty: it has.
  std::string skipped;
  double seconds = 0;
  int faults = 0;
  std::int64_t requests = 0;  // That ended.
  // What must never happen: none in a run that has passed.
  std::vector<std::string> problems;
  // Measured, by name with the unit at its end, such as "pause_p99_seconds".
  std::map<std::string, double> figures;
  std::vector<Bar> bars;

  // Adds the number of problems that follow to the first 20.
  void AddProblems(const std::vector<std::string>& more);
  // It has run without a problem and, in a long run, every bar is met.
  bool passed() const;

 private:
  int left_out_ = 0;
};

// Returns an outcome as JSON, with the members of Outcome and "passed".
Json ToJson(const Outcome& outcome);

// Returns a table of outcomes for people, with problems, figures and bars below
// the line of each.
std::string Table(const std::vector<Outcome>& outcomes);

}  // namespace apollo
