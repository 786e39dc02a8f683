#include "common/thread_count.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <thread>

namespace apollo {

absl::StatusOr<int> ThreadCount(int asked) {
  const int cores =
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  if (asked < 0 || asked > cores) {
    return absl::InvalidArgumentError(
        absl::StrCat("--threads is ", asked, "; it must be from 0 (all) to ",
                     cores, ", the processors of this machine"));
  }
  return asked == 0 ? cores : asked;
}

}  // namespace apollo
