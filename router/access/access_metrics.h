#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

#include "router/access/call_ledger.h"

namespace apollo {

// Publishes a ledger as metrics by caller (docs/metrics.md). Names of callers
// come from the policy, never from requests, so there are at most
// Policy::kMaxCallers, and "unknown". Counts of callers that leave the policy
// vanish. Thread-safe.
class AccessMetrics final : public prometheus::Collectable {
 public:
  // The ledger must outlive the object.
  explicit AccessMetrics(CallLedger& ledger) : ledger_(ledger) {}

  // Leaves out counts of 0 of codes and limits.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  CallLedger& ledger_;
};

}  // namespace apollo
