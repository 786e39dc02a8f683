#pragma once

#include <grpcpp/security/auth_metadata_processor.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/log_budget.h"
#include "serving/metric_spec.h"
#include "serving/peer_name.h"

namespace apollo {

// Who may call a service, by the role in the certificate.
struct Callers {
  // If not empty, only these roles; a caller without a role may not.
  std::vector<PeerRole> only = {};
  // Never these, also if the certificate has other roles, too.
  std::vector<PeerRole> never = {};
};

// The metrics of a CallGuard.
inline constexpr MetricSpec kGuardMetrics[] = {
    {"apollo_tls_refused_calls_total", MetricKind::kCounter,
     "Calls refused because of the role in the caller's certificate."},
};

// Refuses calls over TLS with PERMISSION_DENIED, before any handler sees them,
// if the role of the caller may not call the service. Services without an entry
// take calls from everybody who could connect. Counts the refusals, and logs
// them as "call_refused", at most LogBudget::kLines a second. Thread-safe.
class CallGuard final : public grpc::AuthMetadataProcessor {
 public:
  // `callers` by the full name of the service.
  // The clock must outlive the guard.
  CallGuard(std::string trust_domain, std::map<std::string, Callers> callers,
            std::shared_ptr<prometheus::Registry> registry,
            const Clock& clock = Clock::Real());

  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata,
                       grpc::AuthContext* connection, OutputMetadata* consumed,
                       OutputMetadata* response) override;

  // Does the same for a call of "/service/method", or whatever else the client
  // calls.
  grpc::Status Check(const std::string& path,
                     const std::vector<std::string>& uris);

 private:
  // Returns what the certificate has that forbids the call; nullopt if nothing.
  std::optional<std::string> WhyRefused(
      const Callers& callers, const std::vector<std::string>& uris) const;
  void Report(const std::string& service, const std::string& reason,
              const std::vector<std::string>& uris);

  const std::string trust_domain_;
  const std::map<std::string, Callers> callers_;
  const std::shared_ptr<prometheus::Registry> registry_;  // Has refused_.
  prometheus::Counter& refused_;
  LogBudget budget_;
};

}  // namespace apollo
