#include "serving/call_guard.h"

#include <absl/strings/str_cat.h>
#include <grpc/grpc_security_constants.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace apollo {
namespace {

bool Contains(const std::vector<PeerRole>& roles, PeerRole role) {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

// Returns the service of "/service/method".
std::string ServiceOf(const std::string& path) {
  const std::size_t end = path.rfind('/');
  if (path.empty() || path[0] != '/' || end == 0) return "";
  return path.substr(1, end - 1);
}

std::string Names(const std::vector<PeerRole>& roles) {
  std::string names;
  for (const PeerRole role : roles) {
    absl::StrAppend(&names, names.empty() ? "" : " or ", RoleName(role));
  }
  return names;
}

}  // namespace

CallGuard::CallGuard(std::string trust_domain,
                     std::map<std::string, Callers> callers)
    : trust_domain_(std::move(trust_domain)), callers_(std::move(callers)) {}

grpc::Status CallGuard::Process(const InputMetadata& metadata,
                                grpc::AuthContext* connection, OutputMetadata*,
                                OutputMetadata*) {
  const auto path = metadata.find(":path");
  if (path == metadata.end()) {
    return grpc::Status(grpc::StatusCode::INTERNAL, "the call has no path");
  }
  std::vector<std::string> uris;
  for (const grpc::string_ref& uri :
       connection->FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME)) {
    uris.emplace_back(uri.data(), uri.size());
  }
  return Check(std::string(path->second.data(), path->second.size()), uris);
}

grpc::Status CallGuard::Check(const std::string& path,
                              const std::vector<std::string>& uris) const {
  const std::string service = ServiceOf(path);
  const auto entry = callers_.find(service);
  if (entry == callers_.end()) return grpc::Status::OK;
  const Callers& callers = entry->second;
  const std::optional<PeerName> peer = FindPeerName(uris, trust_domain_);
  const bool allowed =
      peer ? !Contains(callers.never, peer->role) &&
                 (callers.only.empty() || Contains(callers.only, peer->role))
           : callers.only.empty();
  if (allowed) return grpc::Status::OK;
  return grpc::Status(
      grpc::StatusCode::PERMISSION_DENIED,
      absl::StrCat("the caller's certificate ",
                   peer ? absl::StrCat("has the role ", RoleName(peer->role))
                        : absl::StrCat("has no role of the trust domain ",
                                       trust_domain_),
                   ", which may not call ", service,
                   callers.only.empty()
                       ? ""
                       : absl::StrCat("; it must be ", Names(callers.only))));
}

}  // namespace apollo
