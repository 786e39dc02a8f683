#pragma once

#include <absl/time/time.h>

#include <functional>
#include <vector>

#include "tests/faults/streams/transcript.h"

namespace apollo {

// Times between tokens of the same choice.
class Pauses {
 public:
  void Add(absl::Duration pause) { pauses_.push_back(pause); }
  void Add(const Pauses& others);
  // Returns the least pause that at least this part of all does not exceed
  // (nearest rank), for example 0.99; zero if there is none.
  absl::Duration Quantile(double part) const;
  absl::Duration longest() const { return Quantile(1); }
  int count() const { return static_cast<int>(pauses_.size()); }

 private:
  std::vector<absl::Duration> pauses_;
};

// Chooses the transcripts that count.
using Counts = std::function<bool(const Transcript&)>;

// Returns the longest pause around a fault of each choice that was running
// then: the longest time between two tokens that ends after `fault` and begins
// before `fault` + `reach`.
Pauses PausesAt(const std::vector<Transcript>& transcripts,
                absl::Duration fault, absl::Duration reach,
                const Counts& counts = nullptr);

// Returns all times between two tokens that begin from `from` until `until`.
Pauses GapsWithin(const std::vector<Transcript>& transcripts,
                  absl::Duration from, absl::Duration until,
                  const Counts& counts = nullptr);

}  // namespace apollo
