#pragma once

#include <cstdint>
#include <set>
#include <string_view>

#include "common/layer_experts.h"

namespace apollo {

// Returns the rank of a worker for an expert; the highest is first. The same in
// all processes and versions (rendezvous hashing, Thaler and Ravishankar 1998,
// over FNV-1a and the finalizer of MurmurHash3).
std::uint64_t RendezvousRank(std::string_view worker, LayerExpert which);

// Returns the rank of a holder of an expert, the same in all layers: the first
// of its holders never drops it.
inline std::uint64_t HolderRank(std::string_view worker, LayerExpert which) {
  return RendezvousRank(worker, {0, which.expert});
}

// Returns the experts, the same in all layers, with which a worker of that name
// begins: the first `count` in the order of its ranks.
std::set<int> FirstExperts(std::string_view worker, int count, int num_experts);

}  // namespace apollo
