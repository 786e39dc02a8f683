#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// The choices that dense workers and expert workers make, as the simulation
// calls them. The only file behind it is expert_choice.cc.
namespace apollo::simulate {

enum class Pinning { kStrict, kPrefer, kNone };

// Returns the value of --pinning of a dense worker.
absl::StatusOr<Pinning> ParsePinning(std::string_view word);

// An expert worker that could take a sequence.
struct Candidate {
  bool busy = false;
  int resident_layers = 0;  // With the expert of the family in memory.
  std::int64_t load = 0;    // ExpertDirectory::Load
  int sequences = 0;        // From this dense worker.
  std::uint64_t tie_break = 0;
};

// Returns the index of the worker for a sequence; nullopt if there is none, or,
// with kStrict, none with the expert of the family in memory.
std::optional<std::size_t> ChooseWorker(Pinning pinning, bool has_family,
                                        std::span<const Candidate> candidates);

// Breaks ties by rendezvous hashing of the sequence and the worker's name.
std::uint64_t TieBreak(const std::string& worker, std::uint64_t sequence);

}  // namespace apollo::simulate
