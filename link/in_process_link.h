#pragma once

#include <memory>
#include <utility>

#include "link/limits.h"
#include "link/link.h"

namespace apollo {

// Two ends of a link within one process: what one end sends, the other end's
// handler gets, without copying the payload. Handlers are called in the thread
// of one of those who send or close at the time, and may use the link
// themselves, except OnWritable. Close returns when both handlers know, unless
// a handler calls it. What was sent waits until the receiver has let go of the
// frame.
std::pair<std::shared_ptr<Link>, std::shared_ptr<Link>> MakeInProcessLink(
    std::shared_ptr<FrameHandler> first_handler,
    std::shared_ptr<FrameHandler> second_handler, LinkLimits limits = {});

}  // namespace apollo
