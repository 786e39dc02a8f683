#include "serving/peer_identity_grpc.h"

#include <grpc/grpc_security_constants.h>

#include <memory>
#include <string>
#include <vector>

#include "serving/certificate.h"

namespace apollo {
namespace {

std::vector<std::string> Values(const grpc::AuthContext& connection,
                                const char* property) {
  std::vector<std::string> values;
  for (const grpc::string_ref& value :
       connection.FindPropertyValues(property)) {
    values.emplace_back(value.data(), value.size());
  }
  return values;
}

}  // namespace

PeerIdentity PeerIdentityOf(const grpc::AuthContext& connection) {
  PeerIdentity identity;
  const std::vector<std::string> certificate =
      Values(connection, GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (certificate.empty()) return identity;
  const auto parsed = ParseCertificate(certificate.front());
  if (!parsed.ok()) return identity;
  identity.proven = true;
  identity.uris = parsed->uris;
  identity.dns_names = parsed->dns_names;
  identity.certificate_sha256 = parsed->sha256;
  return identity;
}

PeerIdentity PeerIdentityOf(const grpc::ServerContextBase& call) {
  const std::shared_ptr<const grpc::AuthContext> connection =
      call.auth_context();
  return connection == nullptr ? PeerIdentity() : PeerIdentityOf(*connection);
}

}  // namespace apollo
