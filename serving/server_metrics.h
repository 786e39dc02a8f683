#pragma once

#include "serving/metric_spec.h"

namespace apollo {

// The metrics that a server adds to those of its process.
inline constexpr MetricSpec kServerMetrics[] = {
    {"apollo_ready", MetricKind::kGauge,
     "1 while the process reports that it is ready to serve, else 0."},
    {"apollo_live", MetricKind::kGauge,
     "1 while the process reports that it makes progress, else 0."},
};

}  // namespace apollo
