#pragma once

#include <functional>
#include <vector>

#include "common/thread_pool.h"

namespace apollo {

// Returns the median seconds of a call.
using Timer = std::function<double(const std::function<void()>&)>;

// Returns the bytes per second that all threads together read from memory.
double ReadPeak(ThreadPool& pool, const Timer& time);

// A kind of multiply-add, with all operands in registers.
struct Peak {
  const char* name;
  double (*kernel)(int rounds);  // Returns the number of operations.

  // Returns the operations per second of all threads together.
  double Measure(ThreadPool& pool, const Timer& time) const;
};

// Returns the kinds that this machine supports.
std::vector<Peak> ArithmeticPeaks();

}  // namespace apollo
