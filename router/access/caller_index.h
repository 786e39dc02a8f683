#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "router/access/bearer_token.h"
#include "router/access/policy.h"
#include "serving/peer_identity.h"

namespace apollo {

// Finds the caller of a policy to whom an identity belongs. Immutable. All
// functions return PERMISSION_DENIED if it belongs to nobody, or if its parts
// belong to several callers.
class CallerIndex {
 public:
  // The policy must outlive the index.
  explicit CallerIndex(const Policy& policy);

  // `peer` is proven.
  absl::StatusOr<const Caller*> OfCertificate(const PeerIdentity& peer) const;
  // The URIs are those of one certificate.
  absl::StatusOr<const Caller*> OfUris(
      const std::vector<std::string>& uris) const;
  absl::StatusOr<const Caller*> OfToken(const TokenClaims& claims) const;

  // Returns the caller of calls without an identity, or null.
  const Caller* anonymous() const { return anonymous_; }
  // Returns the issuers whose tokens may stand for callers.
  const std::set<std::string>& issuers() const { return issuers_; }

 private:
  using Names = std::map<std::string, const Caller*>;
  struct Token {
    const TokenIdentity* identity;
    const Caller* caller;
  };

  Names uris_;
  Names dns_names_;
  Names certificates_;
  std::vector<Token> tokens_;
  std::set<std::string> issuers_;
  const Caller* anonymous_ = nullptr;
};

}  // namespace apollo
