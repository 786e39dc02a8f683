#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "router/access/rpc_method.h"
#include "sequence/generation.h"

namespace apollo {

// The rate of a token bucket: `per_second` units flow in, and up to `burst`
// wait for use.
struct RateLimit {
  double per_second = 0;
  double burst = 0;
  bool operator==(const RateLimit&) const = default;
};

// How much the calls of one caller, or of all, may take of one router. Unset:
// no limit.
struct CallerLimits {
  std::optional<RateLimit> requests;
  std::optional<RateLimit> tokens;  // Of prompts and answers, weighted.
  std::optional<int> streams;       // Calls at a time that run sequences.
  // Of one call.
  std::optional<std::int64_t> prompt_tokens;
  std::optional<std::int64_t> message_bytes;
  std::optional<std::int64_t> metadata_bytes;
  bool operator==(const CallerLimits&) const = default;
};

// What a JSON Web Token must say to stand for a caller: who issued it, for
// whom, and one claim with this text.
struct TokenIdentity {
  std::string issuer;
  std::string audience;
  std::string claim = "sub";
  std::string value;
  bool operator==(const TokenIdentity&) const = default;
};

// What stands for a caller. Each entry alone is enough.
struct CallerIdentities {
  std::vector<std::string> uris;          // URI names of certificates.
  std::vector<std::string> dns_names;     // DNS names of certificates.
  std::vector<std::string> certificates;  // SHA-256 of DER, lower-case hex.
  std::vector<TokenIdentity> tokens;
  // Calls without a certificate and without a token.
  bool anonymous = false;
};

// One caller of a policy: who it is, and what it may do.
struct Caller {
  std::string name;    // 1 to 64 characters of [a-z0-9_.-].
  std::string tenant;  // Callers of one tenant share cached prefixes.
  // An edge proxy, whose certificate may name other callers in a header.
  bool edge = false;
  CallerIdentities identities;
  std::set<RpcMethod> methods;
  bool any_model = true;
  std::set<std::string> models;  // Unless any.
  int max_priority = kMaxPriority;
  CallerLimits limits;
};

}  // namespace apollo
