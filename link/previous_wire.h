#pragma once

#include <memory>

#include "link/link.h"
#include "link/worker_info.h"

namespace apollo {

// What differs with peers that speak version 0 of the wire, so that nobody else
// has to know: such a peer says its WorkerInfo once, and later only which
// experts it offers (Reach). It knows no Progress.

// Returns a link to such a peer that takes WorkerInfos, and sends them as the
// peer, which has that role, expects.
std::shared_ptr<Link> MakePreviousWireLink(std::shared_ptr<Link> link,
                                           WorkerRole peer);

// Returns what the peer would say today, from what it said last and a Reach. A
// worker that offers nothing is about to stop.
WorkerInfo InfoFromReach(WorkerInfo last, Reach reach);

}  // namespace apollo
