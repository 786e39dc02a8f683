#pragma once

#include <memory>

#include "link/link.h"
#include "link/worker_info.h"

namespace apollo {

// Compatibility with peers of wire version 0, kept out of all other code. Such
// a peer sends its WorkerInfo once, and later only the experts that it offers
// (Reach). It does not know Progress.

// Returns a link to such a peer that converts each WorkerInfo to the form that
// a peer of that role expects.
std::shared_ptr<Link> MakePreviousWireLink(std::shared_ptr<Link> link,
                                           WorkerRole peer);

// Returns the peer's current description from its last one and a Reach. A
// worker that offers nothing is draining.
WorkerInfo InfoFromReach(WorkerInfo last, Reach reach);

}  // namespace apollo
