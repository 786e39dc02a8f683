#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// A public key, or a shared secret, with which tokens are signed.
class VerificationKey {
 public:
  virtual ~VerificationKey() = default;

  // Empty: the key has no id.
  virtual const std::string& id() const = 0;
  // The only "iss" of the tokens that it may sign. Empty: the key names none.
  virtual const std::string& issuer() const = 0;
  // Returns true if tokens with this "alg" may be signed with the key.
  virtual bool Allows(std::string_view algorithm) const = 0;
  // Returns the payload of a token in the compact form, or nullopt if its
  // signature is not by this key. Thread-safe.
  virtual std::optional<std::string> Verify(const std::string& token) const = 0;
};

// The keys of a JSON Web Key Set (RFC 7517). Immutable.
//
// Keys are of type RSA, of 2048 bits or more, for RS256 to RS512 and PS256 to
// PS512; EC, for the algorithm of their curve: ES256, ES384 or ES512; or oct,
// a shared secret, for the HS256, HS384 or HS512 that their "alg" must name.
// If a key of another type has an "alg", only that is allowed. Keys whose "use"
// is not "sig" are left out, and so are those of types that cjose lacks (OKP,
// for EdDSA). A key may have the member "issuer", the "iss" of its tokens,
// which is no part of the RFC, but several providers publish it.
class JwkSet {
 public:
  static constexpr std::size_t kMaxBytes = 1 << 20;
  static constexpr std::size_t kMaxKeys = 100;

  // Returns INVALID_ARGUMENT, starting with `source` (the path of the file),
  // that names the key by its number, for a wrong key, two keys with one id, or
  // no key that can be used. Never quotes a key.
  static absl::StatusOr<JwkSet> Parse(std::string_view text,
                                      std::string_view source);

  // Returns the key with the id. A token without an id needs a set with a
  // single key. Null if there is none.
  const VerificationKey* Find(const std::string& id) const;

  // Returns the number in the file of the first key that names no issuer.
  std::optional<std::size_t> KeyWithoutIssuer() const;

  std::size_t size() const { return keys_.size(); }

 private:
  std::vector<std::shared_ptr<const VerificationKey>> keys_;
  std::vector<std::size_t> numbers_;  // Of each, in the file.
};

}  // namespace apollo
