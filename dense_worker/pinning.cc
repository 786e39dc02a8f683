#include "dense_worker/pinning.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <tuple>

namespace apollo {
namespace {

// Returns the load that a worker has more than it saves.
std::int64_t NetLoad(const PinningCandidate& candidate) {
  return candidate.load - candidate.held;
}

// Returns the net load above which a worker is overloaded.
double SpillLimit(std::span<const PinningCandidate> candidates) {
  double sum = 0;
  int workers = 0;
  for (const PinningCandidate& candidate : candidates) {
    if (candidate.busy) continue;
    sum += static_cast<double>(std::max(NetLoad(candidate), std::int64_t{0}));
    ++workers;
  }
  const double mean = workers == 0 ? 0 : sum / workers;
  return kSpillRatio * mean + static_cast<double>(kSpillFloor);
}

}  // namespace

absl::StatusOr<Pinning> ParsePinning(const std::string& word) {
  if (word == "strict") return Pinning::kStrict;
  if (word == "prefer") return Pinning::kPrefer;
  if (word == "none") return Pinning::kNone;
  return absl::InvalidArgumentError(absl::StrCat(
      "--pinning is \"", word, "\"; it must be strict, prefer or none"));
}

std::optional<std::size_t> ChoosePinned(
    Pinning pinning, bool has_family,
    std::span<const PinningCandidate> candidates, std::int64_t rows) {
  const double limit = SpillLimit(candidates);
  const auto order = [&](const PinningCandidate& c) {  // The largest is best.
    const std::int64_t load = NetLoad(c);
    const bool overloaded =
        pinning == Pinning::kPrefer && static_cast<double>(load) > limit;
    const bool holds = pinning == Pinning::kPrefer && 2 * c.held > rows;
    const int resident = pinning == Pinning::kNone ? 0 : c.resident_layers;
    return std::tuple(!c.busy, !overloaded, holds, resident, -load,
                      -c.sequences, c.tie_break);
  };
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const PinningCandidate& candidate = candidates[i];
    if (pinning == Pinning::kStrict && has_family &&
        candidate.resident_layers == 0) {
      continue;
    }
    if (!best || order(candidate) > order(candidates[*best])) best = i;
  }
  return best;
}

}  // namespace apollo
