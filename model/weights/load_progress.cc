#include "model/weights/load_progress.h"

#include <absl/time/time.h>

#include "common/clock.h"
#include "common/log.h"

namespace apollo {

LoadProgress LogLoadProgress() {
  return [last = absl::ZeroDuration()](std::int64_t done,
                                       std::int64_t total) mutable {
    const absl::Duration now = Clock::Real().Now();
    if (done < total && now - last < absl::Seconds(1)) return;
    last = now;
    LogInfo(
        "weights_loaded",
        {{"percent", static_cast<int>(total > 0 ? done * 100 / total : 100)},
         {"megabytes", done >> 20},
         {"of", total >> 20}});
  };
}

}  // namespace apollo
