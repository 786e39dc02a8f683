#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dense_worker/pinning.h"

// The choices that dense workers and expert workers make, as the simulation
// calls them. The only file behind it is expert_choice.cc.
namespace apollo::simulate {

using apollo::ChoosePinned;
using apollo::ParsePinning;
using apollo::Pinning;
using Candidate = PinningCandidate;

inline std::optional<std::size_t> ChooseWorker(
    Pinning pinning, bool has_family, std::span<const Candidate> candidates) {
  return ChoosePinned(pinning, has_family, candidates);
}

// Breaks ties by rendezvous hashing of the sequence and the worker's name.
std::uint64_t TieBreak(const std::string& worker, std::uint64_t sequence);

}  // namespace apollo::simulate
