#include "expert_worker/placement_rank.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace apollo {

std::uint64_t RendezvousRank(std::string_view worker, LayerExpert which) {
  std::uint64_t hash = 14695981039346656037u;
  const auto add = [&hash](unsigned char byte) {
    hash = (hash ^ byte) * 1099511628211u;
  };
  for (const char c : worker) add(static_cast<unsigned char>(c));
  for (const int number : {which.layer, which.expert}) {
    for (int shift = 0; shift < 32; shift += 8) {
      add(static_cast<unsigned char>(static_cast<std::uint32_t>(number) >>
                                     shift));
    }
  }
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdu;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53u;
  return hash ^ (hash >> 33);
}

std::set<int> FirstExperts(std::string_view worker, int count,
                           int num_experts) {
  std::vector<std::pair<std::uint64_t, int>> ranked;
  for (int expert = 0; expert < num_experts; ++expert) {
    ranked.emplace_back(RendezvousRank(worker, {0, expert}), expert);
  }
  std::sort(ranked.rbegin(), ranked.rend());
  std::set<int> experts;
  for (int i = 0; i < std::min(count, num_experts); ++i) {
    experts.insert(ranked[i].second);
  }
  return experts;
}

}  // namespace apollo
