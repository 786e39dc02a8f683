#include "serving/second_stop.h"

#include <absl/time/time.h>

#include <cstdlib>

#include "common/log.h"
#include "common/stop_request.h"

namespace apollo {

SecondStop::SecondStop()
    : ticker_(absl::Milliseconds(50), [] {
        if (!TakeStopRequest()) return;
        LogWarning("stop_cut_short", {{"reason", "a second signal has come"}});
        std::_Exit(1);
      }) {}

}  // namespace apollo
