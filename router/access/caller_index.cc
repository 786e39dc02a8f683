#include "router/access/caller_index.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <set>

namespace apollo {
namespace {

using Found = std::set<const Caller*>;

void Find(const std::map<std::string, const Caller*>& names,
          const std::vector<std::string>& wanted, Found& found) {
  for (const std::string& name : wanted) {
    const auto it = names.find(name);
    if (it != names.end()) found.insert(it->second);
  }
}

// `what` is the identity in words.
absl::StatusOr<const Caller*> Only(const Found& found,
                                   const std::string& what) {
  if (found.size() == 1) return *found.begin();
  return absl::PermissionDeniedError(absl::StrCat(
      what, found.empty() ? " belongs to no caller of the router's policy"
                          : " belongs to several callers of the router's "
                            "policy; it must belong to one"));
}

// Returns the certificate in words, by its best name.
std::string Name(const PeerIdentity& peer) {
  constexpr std::size_t kMost = 200;
  const std::string& name = !peer.uris.empty()        ? peer.uris.front()
                            : !peer.dns_names.empty() ? peer.dns_names.front()
                                                      : peer.certificate_sha256;
  return absl::StrCat("the certificate of ", name.substr(0, kMost));
}

}  // namespace

CallerIndex::CallerIndex(const Policy& policy) {
  for (const Caller& caller : policy.callers) {
    const CallerIdentities& own = caller.identities;
    for (const std::string& uri : own.uris) uris_[uri] = &caller;
    for (const std::string& name : own.dns_names) dns_names_[name] = &caller;
    for (const std::string& hash : own.certificates) {
      certificates_[hash] = &caller;
    }
    for (const TokenIdentity& token : own.tokens) {
      tokens_.push_back({&token, &caller});
      issuers_.insert(token.issuer);
    }
    if (own.anonymous) anonymous_ = &caller;
  }
}

absl::StatusOr<const Caller*> CallerIndex::OfCertificate(
    const PeerIdentity& peer) const {
  Found found;
  Find(uris_, peer.uris, found);
  Find(dns_names_, peer.dns_names, found);
  Find(certificates_, {peer.certificate_sha256}, found);
  return Only(found, Name(peer));
}

absl::StatusOr<const Caller*> CallerIndex::OfUris(
    const std::vector<std::string>& uris) const {
  Found found;
  Find(uris_, uris, found);
  return Only(found, "the client that the edge names");
}

absl::StatusOr<const Caller*> CallerIndex::OfToken(
    const TokenClaims& claims) const {
  Found found;
  for (const Token& token : tokens_) {
    const TokenIdentity& wanted = *token.identity;
    if (wanted.issuer != claims.issuer ||
        std::find(claims.audiences.begin(), claims.audiences.end(),
                  wanted.audience) == claims.audiences.end()) {
      continue;
    }
    const auto claim = claims.texts.find(wanted.claim);
    if (claim != claims.texts.end() && claim->second == wanted.value) {
      found.insert(token.caller);
    }
  }
  return Only(found, "the bearer token");
}

}  // namespace apollo
