#pragma once

#include <functional>
#include <vector>

#include "common/thread_pool.h"

namespace apollo {

// Median seconds of a call.
using Timer = std::function<double(const std::function<void()>&)>;

// Bytes a second that all threads together read from memory.
double ReadPeak(ThreadPool& pool, const Timer& time);

// One kind of multiply-add, with everything in registers.
struct Peak {
  const char* name;
  double (*kernel)(int rounds);  // Returns operations done.

  // Operations a second of all threads together.
  double Measure(ThreadPool& pool, const Timer& time) const;
};

// Those that this machine has.
std::vector<Peak> ArithmeticPeaks();

}  // namespace apollo
