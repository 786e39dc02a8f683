#pragma once

#include <absl/status/status.h>

#include <map>
#include <string>

#include "link/link_session.h"
#include "link/worker_info.h"

namespace apollo {

// Logs the life of a worker's links, each line with the name of the peer.
// Single-threaded.
class LinkLog {
 public:
  void Opened(LinkId id, const WorkerInfo& peer);
  // The peer has left the list of workers, or is listed again.
  void Leaving(LinkId id, bool leaving) const;
  void Closed(LinkId id, const absl::Status& reason);

 private:
  std::string NameOf(LinkId id) const;

  std::map<LinkId, std::string> names_;  // Of open links.
};

}  // namespace apollo
