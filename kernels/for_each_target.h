#pragma once

#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <cstdint>

namespace apollo {

// Runs `test` once for each instruction set that this build and this machine
// support, with Highway's dispatcher forced to it.
template <typename Test>
void ForEachTarget(Test test) {
  int runs = 0;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    test();
    ++runs;
  }
  hwy::SetSupportedTargetsForTest(0);
  ASSERT_GT(runs, 0);
}

}  // namespace apollo
