#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

// The choice of an expert worker for a sequence: affinity to the expert of its
// language family against load. Pure functions of plain data, so that a
// simulation decides as a dense worker does.
namespace apollo {

// How strictly sequences stay on workers that have the expert of their family
// in memory. Attention, the output head and sampling need no expert of the
// family, so any worker can take any sequence: elsewhere, its rows for that
// expert travel to a peer and back in every sparse layer.
enum class Pinning {
  kStrict,  // Only on such workers, however busy they are.
  kPrefer,  // On such workers, unless they have much more load than others.
  kNone,    // By load alone.
};

// Returns the value of --pinning; INVALID_ARGUMENT if it is no known word.
absl::StatusOr<Pinning> ParsePinning(const std::string& word);

// A worker that could take the sequence.
struct PinningCandidate {
  bool busy = false;  // Silent, its link is full, or it must answer first.
  // Sparse layers for which it has the family's expert in memory; 0 for a
  // sequence without a family.
  int resident_layers = 0;
  // Rows that it computes before those of new work: ExpertDirectory::Load.
  std::int64_t load = 0;
  // Rows of the sequence that it need not compute, because it holds what it
  // computed for them before.
  std::int64_t held = 0;
  int sequences = 0;            // From this dense worker.
  std::uint64_t tie_break = 0;  // The largest wins.
};

// With kPrefer, a worker is overloaded if its load without the rows that it
// holds of the sequence exceeds
//
//   kSpillRatio * mean load of the workers that are not busy + kSpillFloor,
//
// where the load of each counts without the rows that it holds, and is at least
// 0.
// Elsewhere these rows would be computed before the first token, as those of
// the load are here.
//
// So of n equal workers of which one has the expert, that one takes up to
// 1.5 / n of the rows. The floor keeps a few sequences together on an idle
// cluster: a batch of up to about 4 rows takes as long as a single row, because
// the weights are read once for all of them.
inline constexpr double kSpillRatio = 1.5;
inline constexpr std::int64_t kSpillFloor = 4;

// Returns the index of the worker for a sequence; nullopt if there are no
// candidates or, with kStrict and a family, if none of them has its expert.
//
// Prefers, in this order: workers that are not busy; with kPrefer, those that
// are not overloaded, and then those that hold more than half of the sequence's
// `rows`; unless kNone, those that have the expert in the most layers; the
// least load without the rows that they hold; the fewest sequences; the largest
// tie_break.
std::optional<std::size_t> ChoosePinned(
    Pinning pinning, bool has_family,
    std::span<const PinningCandidate> candidates, std::int64_t rows = 0);

}  // namespace apollo
