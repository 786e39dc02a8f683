#pragma once

#include <string>
#include <vector>

struct _cjose_jwk_int;

namespace apollo {

// A key that signs tokens, for tests. Failures end the test's process.
class TokenSigner {
 public:
  // Make a random key with the id, which may be empty.
  static TokenSigner Ec(const std::string& id);  // P-256: ES256.
  static TokenSigner Rsa(const std::string& id, int bits = 2048);
  static TokenSigner Secret(const std::string& id);  // 256 bits: HS256.

  TokenSigner(TokenSigner&& other) noexcept;
  ~TokenSigner();
  TokenSigner(const TokenSigner&) = delete;
  TokenSigner& operator=(const TokenSigner&) = delete;

  // Returns the key as a verifier has it: without the private part, except for
  // a secret. With an issuer, unless that is empty.
  std::string Jwk(const std::string& issuer = "") const;

  // Returns a token with the claims, a JSON object, in the compact form.
  std::string Sign(const std::string& algorithm,
                   const std::string& claims) const;

 private:
  TokenSigner(_cjose_jwk_int* key, std::string id, bool secret);

  _cjose_jwk_int* key_;
  std::string id_;
  bool secret_;
};

// Returns a JSON Web Key Set.
std::string KeySet(const std::vector<std::string>& jwks);

// Returns a token that nobody has signed: base64url of both parts, and the
// signature as it is.
std::string UnsignedToken(const std::string& header, const std::string& claims,
                          const std::string& signature = "");

}  // namespace apollo
