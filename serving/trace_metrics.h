#pragma once

#include "serving/metric_spec.h"

namespace apollo {

// In every process that sends spans.
inline constexpr MetricSpec kTraceMetrics[] = {
    {"apollo_trace_spans_total", MetricKind::kCounter,
     "Spans, by their end: sent to the collector, failed to be sent, or "
     "dropped "
     "because too many waited.",
     "result", 3},
};

}  // namespace apollo
