#include "tools/simulate/expert_choice.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <tuple>

namespace apollo::simulate {
namespace {

// A worker is overloaded above kSpillRatio * mean load + kSpillFloor.
constexpr double kSpillRatio = 1.5;
constexpr double kSpillFloor = 4;

double SpillLimit(std::span<const Candidate> candidates) {
  double sum = 0;
  int workers = 0;
  for (const Candidate& candidate : candidates) {
    if (candidate.busy) continue;
    sum += static_cast<double>(candidate.load);
    ++workers;
  }
  return kSpillFloor + (workers == 0 ? 0 : kSpillRatio * sum / workers);
}

}  // namespace

absl::StatusOr<Pinning> ParsePinning(std::string_view word) {
  if (word == "strict") return Pinning::kStrict;
  if (word == "prefer") return Pinning::kPrefer;
  if (word == "none") return Pinning::kNone;
  return absl::InvalidArgumentError("it must be strict, prefer or none");
}

std::optional<std::size_t> ChooseWorker(Pinning pinning, bool has_family,
                                        std::span<const Candidate> candidates) {
  const double limit = SpillLimit(candidates);
  const auto order = [&](const Candidate& c) {  // The largest is the best.
    const bool overloaded =
        pinning == Pinning::kPrefer && static_cast<double>(c.load) > limit;
    const int resident = pinning == Pinning::kNone ? 0 : c.resident_layers;
    return std::tuple(!c.busy, !overloaded, resident, -c.load, -c.sequences,
                      c.tie_break);
  };
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (pinning == Pinning::kStrict && has_family &&
        candidates[i].resident_layers == 0) {
      continue;
    }
    if (!best || order(candidates[i]) > order(candidates[*best])) best = i;
  }
  return best;
}

std::uint64_t TieBreak(const std::string& worker, std::uint64_t sequence) {
  std::uint64_t hash = 0xcbf29ce484222325u ^ sequence;
  for (const char c : worker) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  hash ^= hash >> 32;
  return hash * 0x9e3779b97f4a7c15u;
}

}  // namespace apollo::simulate
