#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>

#include "tools/simulate/event_queue.h"
#include "tools/simulate/random.h"
#include "tools/simulate/scenario.h"
#include "tools/simulate/stats.h"

namespace apollo::simulate {

// The requests of a scenario. They depend only on its traffic and its seed, not
// on the cluster, except those that follow others (`repeat`). Single-threaded.
class Traffic {
 public:
  using Take = absl::AnyInvocable<void(Request)>;
  // `scenario` and `events` must outlive it.
  Traffic(const Scenario& scenario, EventQueue& events, Take take);

  void Start();
  // A request has ended: with `repeat`, another one begins.
  void Ended();

 private:
  // Arrivals per second now, of all languages; fills shares_.
  double Rate();
  void PlanArrival();
  void Issue();

  const Scenario& scenario_;
  EventQueue& events_;
  Take take_;
  Random arrivals_, requests_;
  double most_;                 // Requests per second, with all surges.
  std::vector<double> shares_;  // Of the languages.
  std::uint64_t next_id_ = 1;
};

}  // namespace apollo::simulate
