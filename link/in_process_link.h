#pragma once

#include <memory>
#include <utility>

#include "link/limits.h"
#include "link/link.h"

namespace apollo {

// Returns the two ends of a link within one process. The payload of a frame is
// not copied. Handlers are called in a thread that is sending or closing, and
// may use the link, except for OnWritable. Close returns after both handlers
// have been told, unless a handler calls it. Sent bytes count as waiting until
// the receiver has destroyed the frame.
std::pair<std::shared_ptr<Link>, std::shared_ptr<Link>> MakeInProcessLink(
    std::shared_ptr<FrameHandler> first_handler,
    std::shared_ptr<FrameHandler> second_handler, LinkLimits limits = {});

}  // namespace apollo
