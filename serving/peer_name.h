#pragma once

#include <absl/status/status.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serving/peer_identity.h"

namespace apollo {

// The roles that a certificate can prove. Processes of the cluster have the
// first three; the others are those of callers.
enum class PeerRole {
  kRouter,
  kDenseWorker,
  kExpertWorker,
  kClient,
  kPrometheus,
  kEdge,
  kAdmin
};

// Returns the name of a role as certificates spell it, such as "dense-worker".
const char* RoleName(PeerRole role);
// Returns the role of that name; nullopt if there is none.
std::optional<PeerRole> RoleOf(std::string_view name);

// A role, and the name of its holder.
struct PeerName {
  PeerRole role = PeerRole::kClient;
  std::string name;
  bool operator==(const PeerName&) const = default;
};

// Returns the URI that a certificate has for a role and name
// (https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md):
//   spiffe://TRUST_DOMAIN/ROLE/NAME
std::string PeerUri(const std::string& trust_domain, const PeerName& peer);

// Returns all roles and names in the URIs of a certificate that belong to the
// trust domain; those of other forms or unknown roles are left out.
std::vector<PeerName> PeerNamesIn(const std::vector<std::string>& uris,
                                  const std::string& trust_domain);

// Returns the role and name in the URIs of a certificate; nullopt if none of
// them belongs to the trust domain, if the one that does has another form or an
// unknown role, or if several do: then nothing says which one counts.
std::optional<PeerName> FindPeerName(const std::vector<std::string>& uris,
                                     const std::string& trust_domain);

// Returns OK if the peer has proven to be `claimed`; PERMISSION_DENIED, naming
// both, if it has not.
absl::Status CheckProvenName(const PeerIdentity& peer,
                             const std::string& trust_domain,
                             const PeerName& claimed);

}  // namespace apollo
