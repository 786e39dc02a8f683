#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

#include "serving/metric_spec.h"

namespace apollo {

// Facts of the process, under the names that all client libraries of Prometheus
// use (https://prometheus.io/docs/instrumenting/writing_clientlibs, "Process
// metrics"), and of the build.
inline constexpr MetricSpec kProcessMetrics[] = {
    {"apollo_build_info", MetricKind::kGauge,
     "Always 1; the labels tell the version and the commit of the program.",
     "version,commit"},
    {"process_start_time_seconds", MetricKind::kGauge,
     "Start of the process since the Unix epoch in seconds."},
    {"process_cpu_seconds_total", MetricKind::kCounter,
     "User and system CPU time spent in seconds."},
    {"process_resident_memory_bytes", MetricKind::kGauge,
     "Resident memory size in bytes."},
    {"process_virtual_memory_bytes", MetricKind::kGauge,
     "Virtual memory size in bytes."},
    {"process_open_fds", MetricKind::kGauge,
     "Number of open file descriptors."},
    {"process_max_fds", MetricKind::kGauge,
     "Largest number of open file descriptors."},
    {"process_threads", MetricKind::kGauge, "Number of threads."},
};

// Publishes kProcessMetrics of this process, from /proc/self and getrusage. A
// fact that the system does not tell is left out. Thread-safe.
class ProcessMetrics final : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace apollo
