// Any bytes as what decides about a caller: a policy, keys, a token and the
// header of a proxy.

#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "router/access/bearer_token.h"
#include "router/access/edge_identity.h"
#include "router/access/jwk_set.h"
#include "router/access/policy.h"

namespace {

// The public key of RFC 7515, appendix A.3.
constexpr char kKeys[] = R"({"keys": [{"kty": "EC", "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";

void Expect(bool condition) {
  if (!condition) std::abort();
}

const apollo::JwkSet& Keys() {
  static const apollo::JwkSet* const keys =
      new apollo::JwkSet(*apollo::JwkSet::Parse(kKeys, "keys"));
  return *keys;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto policy = apollo::ParsePolicy(text, "policy"); policy.ok()) {
    Expect(!policy->callers.empty());
    for (const apollo::Caller& caller : policy->callers) {
      Expect(apollo::IsCallerName(caller.name));
      Expect(apollo::IsCallerName(caller.tenant));
    }
  }
  if (const auto keys = apollo::JwkSet::Parse(text, "keys"); keys.ok()) {
    Expect(keys->size() > 0);
  }
  // The one token of the corpus that is signed has no "aud".
  const absl::Time now = absl::FromUnixSeconds(2'000'000'000);
  Expect(!apollo::VerifyToken(text, Keys(), now).ok());
  for (const std::string& uri : apollo::UrisOfForwardedClient(text)) {
    Expect(!uri.empty() && uri.size() <= size);
  }
  return 0;
}
