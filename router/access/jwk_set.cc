#include "router/access/jwk_set.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <cjose/cjose.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "common/json.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

using Names = std::vector<std::string>;

constexpr std::size_t kLeastRsaBits = 2048;
constexpr std::size_t kLeastSecretBits = 256;  // RFC 7518, section 3.2.

struct JwkDeleter {
  void operator()(cjose_jwk_t* key) const { cjose_jwk_release(key); }
};
struct JwsDeleter {
  void operator()(cjose_jws_t* token) const { cjose_jws_release(token); }
};
using JwkPtr = std::unique_ptr<cjose_jwk_t, JwkDeleter>;

class CjoseKey final : public VerificationKey {
 public:
  CjoseKey(std::string id, std::string issuer, Names algorithms, JwkPtr key)
      : id_(std::move(id)),
        issuer_(std::move(issuer)),
        algorithms_(std::move(algorithms)),
        key_(std::move(key)) {}

  const std::string& id() const override { return id_; }
  const std::string& issuer() const override { return issuer_; }
  bool Allows(std::string_view algorithm) const override {
    return std::find(algorithms_.begin(), algorithms_.end(), algorithm) !=
           algorithms_.end();
  }
  std::optional<std::string> Verify(const std::string& token) const override {
    cjose_err error;
    const std::unique_ptr<cjose_jws_t, JwsDeleter> jws(
        cjose_jws_import(token.data(), token.size(), &error));
    if (jws == nullptr || !cjose_jws_verify(jws.get(), key_.get(), &error)) {
      return std::nullopt;
    }
    std::uint8_t* payload = nullptr;  // Belongs to jws.
    std::size_t size = 0;
    if (!cjose_jws_get_plaintext(jws.get(), &payload, &size, &error)) {
      return std::nullopt;
    }
    return std::string(reinterpret_cast<const char*>(payload), size);
  }

 private:
  const std::string id_;
  const std::string issuer_;
  const Names algorithms_;
  const JwkPtr key_;
};

// Returns a text of an object; empty if it is missing or no text.
std::string TextOf(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

// Returns the algorithms that a key's type, curve and "alg" allow; none for a
// type that cannot be used.
absl::StatusOr<Names> AlgorithmsOf(const Json& json) {
  const std::string type = TextOf(json, "kty");
  const std::string curve = TextOf(json, "crv");
  const std::string only = TextOf(json, "alg");
  Names possible;
  if (type == "RSA") {
    possible = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"};
  } else if (type == "EC") {
    if (curve == "P-256") possible = {"ES256"};
    if (curve == "P-384") possible = {"ES384"};
    if (curve == "P-521") possible = {"ES512"};
  } else if (type == "oct") {
    // A file of public keys must not become one of secrets by accident.
    possible = {"HS256", "HS384", "HS512"};
    if (only.empty()) {
      return absl::InvalidArgumentError(
          "is a shared secret (\"oct\") without \"alg\"; it must name HS256, "
          "HS384 or HS512");
    }
  }
  if (possible.empty() || only.empty()) return possible;
  if (std::find(possible.begin(), possible.end(), only) == possible.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("has an \"alg\" that its type does not have; it must be "
                     "one of ",
                     absl::StrJoin(possible, ", ")));
  }
  return Names{only};
}

// Returns a key, or null for one that is not for signatures that we know.
absl::StatusOr<std::shared_ptr<const VerificationKey>> ReadKey(
    const Json& json) {
  if (!json.is_object()) return absl::InvalidArgumentError("is no object");
  const std::string use = TextOf(json, "use");
  if (!use.empty() && use != "sig") return nullptr;
  ASSIGN_OR_RETURN(Names algorithms, AlgorithmsOf(json));
  if (algorithms.empty()) return nullptr;
  std::string issuer = TextOf(json, "issuer");
  if (json.contains("issuer") && issuer.empty()) {
    return absl::InvalidArgumentError(
        "has an \"issuer\" that is no text; it must be the \"iss\" of its "
        "tokens");
  }
  const std::string text = json.dump();
  cjose_err error;
  JwkPtr key(cjose_jwk_import(text.data(), text.size(), &error));
  if (key == nullptr) {
    return absl::InvalidArgumentError("is no valid JSON Web Key");
  }
  const std::size_t bits = cjose_jwk_get_keysize(key.get(), &error);
  const cjose_jwk_kty_t type = cjose_jwk_get_kty(key.get(), &error);
  const std::size_t least = type == CJOSE_JWK_KTY_RSA   ? kLeastRsaBits
                            : type == CJOSE_JWK_KTY_OCT ? kLeastSecretBits
                                                        : 0;
  if (bits < least) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", bits, " bits; it must have at least ", least));
  }
  return std::make_shared<CjoseKey>(TextOf(json, "kid"), std::move(issuer),
                                    std::move(algorithms), std::move(key));
}

}  // namespace

absl::StatusOr<JwkSet> JwkSet::Parse(std::string_view text,
                                     std::string_view source) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text, source));
  const auto wrong = [&](const auto&... parts) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(source), ": ", parts...));
  };
  const auto keys = json.is_object() ? json.find("keys") : json.end();
  if (keys == json.end() || !keys->is_array()) {
    return wrong("must be an object with an array \"keys\"");
  }
  if (keys->size() > kMaxKeys) {
    return wrong("has ", keys->size(), " keys; it may have ", kMaxKeys);
  }
  JwkSet set;
  for (std::size_t i = 0; i < keys->size(); ++i) {
    auto key = ReadKey((*keys)[i]);
    if (!key.ok()) {
      return wrong("keys[", i, "] ", key.status().message());
    }
    if (*key == nullptr) continue;
    for (const auto& other : set.keys_) {
      if (other->id() != (*key)->id()) continue;
      return wrong("keys[", i,
                   "] has the same \"kid\" as another key, or none "
                   "like another");
    }
    set.keys_.push_back(*std::move(key));
    set.numbers_.push_back(i);
  }
  if (set.keys_.empty()) return wrong("has no key that can be used");
  return set;
}

std::optional<std::size_t> JwkSet::KeyWithoutIssuer() const {
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (keys_[i]->issuer().empty()) return numbers_[i];
  }
  return std::nullopt;
}

const VerificationKey* JwkSet::Find(const std::string& id) const {
  if (id.empty()) return keys_.size() == 1 ? keys_.front().get() : nullptr;
  for (const auto& key : keys_) {
    if (key->id() == id) return key.get();
  }
  return nullptr;
}

}  // namespace apollo
