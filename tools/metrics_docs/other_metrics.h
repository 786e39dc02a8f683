#pragma once

#include "serving/metric_spec.h"

namespace apollo {

// Metrics that are made without a MetricSpec, by classes that collect them
// themselves. tests/metrics finds one that is missing here.

// In every process with certificates.
inline constexpr MetricSpec kTlsMetrics[] = {
    {"apollo_tls_certificate_expiry_seconds", MetricKind::kGauge,
     "Unix time at which the certificate of this process expires."},
};

// In a router with a policy. The numbers of series are those of 20 callers; the
// policy bounds them.
inline constexpr int kCallers = 20;
inline constexpr MetricSpec kCallerMetrics[] = {
    {"apollo_caller_requests_total", MetricKind::kCounter,
     "Finished and refused calls, by caller and gRPC code.", "caller,code",
     kCallers * 17},
    {"apollo_caller_tokens_total", MetricKind::kCounter,
     "Tokens of finished calls, by caller.", "caller,kind", kCallers * 2},
    {"apollo_caller_limited_total", MetricKind::kCounter,
     "Calls that a limit refused, by caller.", "caller,limit", kCallers * 12},
    {"apollo_caller_tokens_available", MetricKind::kGauge,
     "Weighted tokens that a caller may take now.", "caller", kCallers},
    {"apollo_caller_headers_ignored_total", MetricKind::kCounter,
     "Calls with a header that names a caller, on connections that are not an "
     "edge's."},
};

}  // namespace apollo
