#include "serving/peer_name.h"

#include <absl/strings/str_cat.h>

#include <utility>

namespace apollo {
namespace {

constexpr std::pair<PeerRole, const char*> kRoles[] = {
    {PeerRole::kRouter, "router"},
    {PeerRole::kDenseWorker, "dense-worker"},
    {PeerRole::kExpertWorker, "expert-worker"},
    {PeerRole::kClient, "client"},
    {PeerRole::kPrometheus, "prometheus"},
    {PeerRole::kEdge, "edge"},
    {PeerRole::kAdmin, "admin"}};

// Parses "ROLE/NAME".
std::optional<PeerName> ParsePath(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::optional<PeerRole> role = RoleOf(path.substr(0, slash));
  const std::string_view name = path.substr(slash + 1);
  if (!role || name.empty() || name.find('/') != std::string_view::npos) {
    return std::nullopt;
  }
  return PeerName{*role, std::string(name)};
}

}  // namespace

const char* RoleName(PeerRole role) {
  for (const auto& [known, name] : kRoles) {
    if (known == role) return name;
  }
  return "";
}

std::optional<PeerRole> RoleOf(std::string_view name) {
  for (const auto& [role, known] : kRoles) {
    if (name == known) return role;
  }
  return std::nullopt;
}

std::string PeerUri(const std::string& trust_domain, const PeerName& peer) {
  return absl::StrCat("spiffe://", trust_domain, "/", RoleName(peer.role), "/",
                      peer.name);
}

std::vector<PeerName> PeerNamesIn(const std::vector<std::string>& uris,
                                  const std::string& trust_domain) {
  const std::string prefix = absl::StrCat("spiffe://", trust_domain, "/");
  std::vector<PeerName> names;
  for (const std::string& uri : uris) {
    if (!uri.starts_with(prefix)) continue;
    auto name = ParsePath(std::string_view(uri).substr(prefix.size()));
    if (name) names.push_back(*std::move(name));
  }
  return names;
}

std::optional<PeerName> FindPeerName(const std::vector<std::string>& uris,
                                     const std::string& trust_domain) {
  const std::string prefix = absl::StrCat("spiffe://", trust_domain, "/");
  std::optional<PeerName> found;
  int of_domain = 0;
  for (const std::string& uri : uris) {
    if (!uri.starts_with(prefix)) continue;
    ++of_domain;
    found = ParsePath(std::string_view(uri).substr(prefix.size()));
  }
  return of_domain == 1 ? found : std::nullopt;
}

absl::Status CheckProvenName(const PeerIdentity& peer,
                             const std::string& trust_domain,
                             const PeerName& claimed) {
  const std::optional<PeerName> proven = FindPeerName(peer.uris, trust_domain);
  if (peer.proven && proven == claimed) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      "a peer says that it is ", RoleName(claimed.role), " \"", claimed.name,
      "\", but its certificate ",
      proven ? absl::StrCat("is that of ", RoleName(proven->role), " \"",
                            proven->name, "\"")
             : absl::StrCat("has no role of the trust domain ", trust_domain)));
}

}  // namespace apollo
