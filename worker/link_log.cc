#include "worker/link_log.h"

#include "common/log.h"

namespace apollo {

void LinkLog::Opened(LinkId id, const WorkerInfo& peer) {
  names_[id] = peer.name;
  LogInfo("link_opened",
          {{"peer", peer.name},
           {"experts", static_cast<int>(peer.resident.everywhere.size())}});
}

void LinkLog::Leaving(LinkId id, bool leaving) const {
  LogInfo(leaving ? "peer_unlisted" : "peer_relisted", {{"peer", NameOf(id)}});
}

void LinkLog::Closed(LinkId id, const absl::Status& reason) {
  LogInfo("link_closed",
          {{"peer", NameOf(id)}, {"reason", std::string(reason.message())}});
  names_.erase(id);
}

std::string LinkLog::NameOf(LinkId id) const {
  const auto it = names_.find(id);
  return it == names_.end() ? "" : it->second;
}

}  // namespace apollo
