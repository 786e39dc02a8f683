#pragma once

#include "serving/counters.h"

namespace apollo {

// Counters of an audit log.
struct AuditCounters {
  Count written, lost;  // Entries.
  Count refused;        // Calls.
  Level failing;        // 1 while entries cannot be written.
};

inline constexpr MetricRow<AuditCounters> kAuditMetrics[] = {
    {"apollo_audit_entries_total",
     "Entries for the audit log, by whether they are in it.",
     &AuditCounters::written, "result", "written"},
    {"apollo_audit_entries_total",
     "Entries for the audit log, by whether they are in it.",
     &AuditCounters::lost, "result", "lost"},
    {"apollo_audit_refused_calls_total",
     "Calls refused because the audit log could not be written.",
     &AuditCounters::refused},
    {"apollo_audit_failing", "1 while the audit log cannot be written, else 0.",
     &AuditCounters::failing},
};

}  // namespace apollo
