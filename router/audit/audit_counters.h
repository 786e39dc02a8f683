#pragma once

#include "serving/counters.h"

namespace apollo {

// Counters of an audit log.
struct AuditCounters {
  Count written, lost;  // Entries.
  Count refused;        // Calls, since it could not be written.
  Count counted;        // Calls that the policy refused; see RefusedCalls.
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
    {"apollo_audit_counted_calls_total",
     "Calls refused by the policy that the audit log only counts.",
     &AuditCounters::counted},
    {"apollo_audit_failing", "1 while the audit log cannot be written, else 0.",
     &AuditCounters::failing},
};

}  // namespace apollo
