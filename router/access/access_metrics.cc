#include "router/access/access_metrics.h"

#include <absl/status/status.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

namespace apollo {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

void Add(MetricFamily& family, Labels labels, double value) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  std::sort(metric.label.begin(), metric.label.end());
  (family.type == MetricType::Gauge ? metric.gauge.value
                                    : metric.counter.value) = value;
}

}  // namespace

std::vector<MetricFamily> AccessMetrics::Collect() const {
  MetricFamily requests{"apollo_caller_requests_total",
                        "Finished and refused calls, by caller and gRPC code.",
                        MetricType::Counter,
                        {}};
  MetricFamily tokens{"apollo_caller_tokens_total",
                      "Tokens of finished calls, by caller.",
                      MetricType::Counter,
                      {}};
  MetricFamily limited{"apollo_caller_limited_total",
                       "Calls that a limit refused, by caller.",
                       MetricType::Counter,
                       {}};
  MetricFamily available{"apollo_caller_tokens_available",
                         "Weighted tokens that a caller may take now.",
                         MetricType::Gauge,
                         {}};
  MetricFamily ignored{"apollo_caller_headers_ignored_total",
                       "Calls with a header that names a caller, on "
                       "connections that are not an edge's.",
                       MetricType::Counter,
                       {}};
  for (const CallLedger::Report& report : ledger_.Reports()) {
    for (int code = 0; code < CallLedger::kCodes; ++code) {
      const auto count =
          static_cast<double>(report.requests[static_cast<std::size_t>(code)]);
      if (count == 0) continue;
      Add(requests,
          {{"caller", report.caller},
           {"code",
            absl::StatusCodeToString(static_cast<absl::StatusCode>(code))}},
          count);
    }
    for (int i = 0; i < kCallLimits; ++i) {
      const auto count =
          static_cast<double>(report.limited[static_cast<std::size_t>(i)]);
      if (count == 0) continue;
      Add(limited,
          {{"caller", report.caller},
           {"limit", NameOf(static_cast<CallLimit>(i))}},
          count);
    }
    Add(tokens, {{"caller", report.caller}, {"kind", "prompt"}},
        static_cast<double>(report.prompt_tokens));
    Add(tokens, {{"caller", report.caller}, {"kind", "generated"}},
        static_cast<double>(report.generated_tokens));
    if (report.tokens_available) {
      Add(available, {{"caller", report.caller}}, *report.tokens_available);
    }
  }
  Add(ignored, {}, static_cast<double>(ledger_.headers_ignored()));
  std::vector<MetricFamily> families;
  for (MetricFamily* family :
       {&requests, &tokens, &limited, &available, &ignored}) {
    if (!family->metric.empty()) families.push_back(std::move(*family));
  }
  return families;
}

}  // namespace apollo
