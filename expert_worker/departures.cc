#include "expert_worker/departures.h"

#include <iterator>
#include <set>

#include "common/log.h"

namespace apollo {

void Departures::Announced(const std::string& peer,
                           const LayerExperts& resident, absl::Duration now) {
  if (grace_ <= absl::ZeroDuration()) return;
  const auto [it, first] = departures_.try_emplace(peer);
  it->second.resident = resident;
  if (!first) return;
  it->second.until = now + grace_;
  LogInfo("departure_announced",
          {{"peer", peer}, {"grace_seconds", absl::ToDoubleSeconds(grace_)}});
}

void Departures::Update(const std::vector<PlacementPeer>& peers,
                        absl::Duration now) {
  std::set<std::string> present;
  for (const PlacementPeer& peer : peers) {
    present.insert(peer.name);
    if (peer.stays) departures_.erase(peer.name);
  }
  for (auto it = departures_.begin(); it != departures_.end();) {
    auto& [name, departure] = *it;
    if (!departure.gone && !present.contains(name)) {
      departure.gone = true;
      if (now < departure.until) departure.until = now + grace_;
    }
    if (now >= departure.until && !departure.over) {
      departure.over = true;
      LogWarning(
          "return_missed",
          {{"peer", name}, {"grace_seconds", absl::ToDoubleSeconds(grace_)}});
    }
    it = departure.over && departure.gone ? departures_.erase(it)
                                          : std::next(it);
  }
}

std::map<std::string, LayerExperts> Departures::Expected() const {
  std::map<std::string, LayerExperts> expected;
  for (const auto& [name, departure] : departures_) {
    if (!departure.over) expected[name] = departure.resident;
  }
  return expected;
}

}  // namespace apollo
