#pragma once

#include "common/ticker.h"

namespace apollo {

// Ends the process at once, with exit code 1, if a stop signal comes during the
// lifetime of the object: for somebody who does not want to wait until a
// process that was asked to stop has finished its work. The signals must be
// blocked (common/stop_request.h).
class SecondStop {
 public:
  SecondStop();

 private:
  Ticker ticker_;
};

}  // namespace apollo
