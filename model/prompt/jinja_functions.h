#pragma once

#include <absl/time/time.h>

#include <cstddef>
#include <minja/minja.hpp>
#include <string>

namespace apollo {

// Thrown by raise_exception(). Not derived from std::exception, which minja
// catches at each node to add text to it.
struct Raised {
  std::string message;
};
// Thrown where a bound is exceeded.
struct LimitExceeded {};

// The steps that one rendering has left: look-ups of variables, and numbers of
// ranges.
class StepBudget {
 public:
  explicit StepBudget(std::size_t steps) : left_(steps) {}

  // Throws LimitExceeded if fewer are left.
  void Spend(std::size_t steps) {
    if (steps > left_) throw LimitExceeded();
    left_ -= steps;
  }

 private:
  std::size_t left_;
};

// Adds the functions of chat templates that minja lacks (raise_exception,
// strftime_now, the filters first and replace), those that MendJinjaTests
// calls, and those whose behaviour differs from Jinja's (range has at most
// 100000 numbers; length and count count characters of strings, not bytes).
// `budget` must outlive them.
void AddJinjaFunctions(absl::Time now, absl::TimeZone zone, StepBudget* budget,
                       minja::Value* variables);

}  // namespace apollo
