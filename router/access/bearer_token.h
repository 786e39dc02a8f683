#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/access/jwk_set.h"

namespace apollo {

// What a verified JSON Web Token says about its bearer.
struct TokenClaims {
  std::string issuer;
  std::vector<std::string> audiences;
  std::map<std::string, std::string> texts;  // All claims that are texts.
  absl::Time expiry;                         // "exp".
  std::optional<absl::Time> start;           // "nbf".
};

// Clocks of issuers may differ from ours by this much.
inline constexpr absl::Duration kTokenLeeway = absl::Seconds(60);
inline constexpr std::size_t kMaxTokenBytes = 8 << 10;

// Verifies a token in the compact form of RFC 7515. `now` is the time of day.
// Returns UNAUTHENTICATED, which never quotes the token, unless
//
// - it has a header with an "alg" that its key allows, and without "crit";
// - it is signed with the key that its "kid" names;
// - it has "iss", "aud" and "exp";
// - its "iss" is the issuer of the key, if that names one;
// - CheckTokenTimes returns OK.
absl::StatusOr<TokenClaims> VerifyToken(const std::string& token,
                                        const JwkSet& keys, absl::Time now);

// Returns UNAUTHENTICATED unless `now` is before "exp" and, if there is "nbf",
// not before that, both with kTokenLeeway.
absl::Status CheckTokenTimes(const TokenClaims& claims, absl::Time now);

// Returns the token of an "authorization" header, whose scheme must be Bearer,
// or UNAUTHENTICATED.
absl::StatusOr<std::string> TokenOfHeader(std::string_view authorization);

}  // namespace apollo
