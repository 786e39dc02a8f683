#pragma once

#include <absl/time/time.h>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "router/failover/reissue_policy.h"
#include "serving/buckets.h"
#include "serving/metric_spec.h"

namespace apollo {

// The metrics of sequences that are run again.
inline constexpr MetricSpec kFailoverMetrics[] = {
    {"apollo_sequences_reissued_total", MetricKind::kCounter,
     "Times that a sequence was run again because its dense worker was lost, "
     "has moved it, was silent, or refused it.",
     "cause", 4},
    {"apollo_reissue_pause_seconds", MetricKind::kHistogram,
     "Time from the loss of a sequence that was run again to the first event "
     "of the next dense worker for it, by the cause of the loss.",
     "cause", 4, kPauseSeconds},
    {"apollo_reissue_pauses_total", MetricKind::kCounter,
     "Pauses of sequences that no dense worker could take."},
    {"apollo_sequences_given_up_total", MetricKind::kCounter,
     "Sequences that failed after they had been run again."},
};

// Counts in kFailoverMetrics. Thread-safe.
class FailoverMetrics {
 public:
  // Registers the metrics; the registry must outlive them.
  explicit FailoverMetrics(prometheus::Registry& registry);

  // Counts a sequence that is run again.
  void Reissued(ReissueCause cause);
  // Counts the time until a sequence that was run again went on.
  void Continued(ReissueCause cause, absl::Duration pause);
  // Counts a pause because no worker can take a sequence.
  void Paused() { pauses_.Increment(); }
  // Counts a sequence that failed after it had been run again.
  void GivenUp() { given_up_.Increment(); }

 private:
  struct OfCause {
    prometheus::Counter& reissued;
    prometheus::Histogram& pause;
  };
  static OfCause Of(prometheus::Registry& registry, ReissueCause cause);
  OfCause& Of(ReissueCause cause);

  OfCause lost_, moved_, silent_, refused_;
  prometheus::Counter& pauses_;
  prometheus::Counter& given_up_;
};

// Returns the value of the label `cause`.
const char* NameOf(ReissueCause cause);

}  // namespace apollo
