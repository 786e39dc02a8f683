#pragma once

#include <grpcpp/security/auth_metadata_processor.h>

#include <map>
#include <string>
#include <vector>

#include "serving/peer_name.h"

namespace apollo {

// Who may call a service, by the role in the certificate.
struct Callers {
  // If not empty, only these roles; a caller without a role may not.
  std::vector<PeerRole> only = {};
  // Never these.
  std::vector<PeerRole> never = {};
};

// Refuses calls over TLS with PERMISSION_DENIED, before any handler sees them,
// if the role of the caller may not call the service. Services without an entry
// take calls from everybody who could connect. Thread-safe.
class CallGuard final : public grpc::AuthMetadataProcessor {
 public:
  // `callers` by the full name of the service.
  CallGuard(std::string trust_domain, std::map<std::string, Callers> callers);

  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata,
                       grpc::AuthContext* connection, OutputMetadata* consumed,
                       OutputMetadata* response) override;

  // Does the same for a call of "/service/method", or whatever else the client
  // calls.
  grpc::Status Check(const std::string& path,
                     const std::vector<std::string>& uris) const;

 private:
  const std::string trust_domain_;
  const std::map<std::string, Callers> callers_;
};

}  // namespace apollo
