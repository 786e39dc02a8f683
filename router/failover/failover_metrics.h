#pragma once

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include "router/failover/reissue_policy.h"

namespace apollo {

// The metrics of sequences that are run again (docs/metrics.md). Thread-safe.
class FailoverMetrics {
 public:
  // Registers the metrics; the registry must outlive them.
  explicit FailoverMetrics(prometheus::Registry& registry);

  // Counts a sequence that is run again.
  void Reissued(ReissueCause cause);
  // Counts a pause because no worker can take a sequence.
  void Paused() { pauses_.Increment(); }
  // Counts a sequence that failed after it had been run again.
  void GivenUp() { given_up_.Increment(); }

 private:
  prometheus::Counter& lost_;
  prometheus::Counter& moved_;
  prometheus::Counter& silent_;
  prometheus::Counter& refused_;
  prometheus::Counter& pauses_;
  prometheus::Counter& given_up_;
};

// Returns the value of the label `cause`.
const char* NameOf(ReissueCause cause);

}  // namespace apollo
