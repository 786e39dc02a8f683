#include "serving/call_guard.h"

#include <absl/strings/str_cat.h>
#include <grpc/grpc_security_constants.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/log.h"

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
                     std::map<std::string, Callers> callers,
                     std::shared_ptr<prometheus::Registry> registry,
                     const Clock& clock)
    : trust_domain_(std::move(trust_domain)),
      callers_(std::move(callers)),
      registry_(std::move(registry)),
      refused_(AddCounter(
          *registry_, SpecOf(kGuardMetrics, "apollo_tls_refused_calls_total"))),
      budget_(clock) {}

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

std::optional<std::string> CallGuard::WhyRefused(
    const Callers& callers, const std::vector<std::string>& uris) const {
  const auto has = [](const PeerName& name) {
    return absl::StrCat("has the role ", RoleName(name.role));
  };
  for (const PeerName& name : PeerNamesIn(uris, trust_domain_)) {
    if (Contains(callers.never, name.role)) return has(name);
  }
  if (callers.only.empty()) return std::nullopt;
  const std::optional<PeerName> peer = FindPeerName(uris, trust_domain_);
  if (!peer) {
    return absl::StrCat("has no role of the trust domain ", trust_domain_);
  }
  if (Contains(callers.only, peer->role)) return std::nullopt;
  return has(*peer);
}

void CallGuard::Report(const std::string& service, const std::string& reason,
                       const std::vector<std::string>& uris) {
  refused_.Increment();
  const auto held_back = budget_.Take();
  if (!held_back) return;
  const std::vector<PeerName> names = PeerNamesIn(uris, trust_domain_);
  LogWarning("call_refused", {{"service", service},
                              {"peer", names.empty() ? "" : names[0].name},
                              {"reason", reason},
                              {"held_back", *held_back}});
}

grpc::Status CallGuard::Check(const std::string& path,
                              const std::vector<std::string>& uris) {
  const auto entry = callers_.find(ServiceOf(path));
  if (entry == callers_.end()) return grpc::Status::OK;
  const auto& [service, callers] = *entry;
  const std::optional<std::string> why = WhyRefused(callers, uris);
  if (!why) return grpc::Status::OK;
  const std::string reason = absl::StrCat(
      "the caller's certificate ", *why, ", which may not call ", service,
      callers.only.empty()
          ? ""
          : absl::StrCat("; it must be ", Names(callers.only)));
  Report(service, reason, uris);
  return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, reason);
}

}  // namespace apollo
