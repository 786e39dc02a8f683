#pragma once

#include <gtest/gtest.h>

#include "kernels/cpu_level.h"

namespace apollo {

// Runs `test` once for each supported level, with all kernels forced to it.
template <typename Test>
void ForEachLevel(Test test) {
  for (const CpuLevel level : kCpuLevels) {
    if (level > BestCpuLevel()) break;
    SCOPED_TRACE(CpuLevelName(level));
    UseCpuLevel(level);
    test();
  }
  UseCpuLevel(BestCpuLevel());
}

}  // namespace apollo
