#include "router/access/token_signer.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <cjose/cjose.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

namespace apollo {
namespace {

// Returns what a function of cjose has made.
template <typename Pointer>
Pointer Made(Pointer pointer) {
  if (pointer == nullptr) std::abort();
  return pointer;
}

void Must(bool done) {
  if (!done) std::abort();
}

}  // namespace

TokenSigner::TokenSigner(_cjose_jwk_int* key, std::string id, bool secret)
    : key_(Made(key)), id_(std::move(id)), secret_(secret) {
  if (!id_.empty()) {
    Must(cjose_jwk_set_kid(key_, id_.data(), id_.size(), nullptr));
  }
}

TokenSigner::TokenSigner(TokenSigner&& other) noexcept
    : key_(std::exchange(other.key_, nullptr)),
      id_(std::move(other.id_)),
      secret_(other.secret_) {}

TokenSigner::~TokenSigner() {
  if (key_ != nullptr) cjose_jwk_release(key_);
}

TokenSigner TokenSigner::Ec(const std::string& id) {
  return {cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, nullptr), id, false};
}

TokenSigner TokenSigner::Rsa(const std::string& id, int bits) {
  static const std::uint8_t kExponent[] = {1, 0, 1};
  return {cjose_jwk_create_RSA_random(static_cast<std::size_t>(bits), kExponent,
                                      sizeof(kExponent), nullptr),
          id, false};
}

TokenSigner TokenSigner::Secret(const std::string& id) {
  return {cjose_jwk_create_oct_random(256, nullptr), id, true};
}

std::string TokenSigner::Jwk(const std::string& issuer) const {
  char* const text = Made(cjose_jwk_to_json(key_, secret_, nullptr));
  std::string jwk = text;
  std::free(text);
  if (issuer.empty()) return jwk;
  return absl::StrCat("{\"issuer\": \"", issuer, "\", ", jwk.substr(1));
}

std::string TokenSigner::Sign(const std::string& algorithm,
                              const std::string& claims) const {
  cjose_header_t* const header = Made(cjose_header_new(nullptr));
  Must(cjose_header_set(header, CJOSE_HDR_ALG, algorithm.c_str(), nullptr));
  if (!id_.empty()) {
    Must(cjose_header_set(header, CJOSE_HDR_KID, id_.c_str(), nullptr));
  }
  cjose_jws_t* const jws = Made(cjose_jws_sign(
      key_, header, reinterpret_cast<const std::uint8_t*>(claims.data()),
      claims.size(), nullptr));
  const char* token = nullptr;  // Belongs to jws.
  Must(cjose_jws_export(jws, &token, nullptr));
  std::string out = token;
  cjose_jws_release(jws);
  cjose_header_release(header);
  return out;
}

std::string KeySet(const std::vector<std::string>& jwks) {
  return absl::StrCat("{\"keys\": [", absl::StrJoin(jwks, ", "), "]}");
}

std::string UnsignedToken(const std::string& header, const std::string& claims,
                          const std::string& signature) {
  std::string first, second;
  absl::WebSafeBase64Escape(header, &first);
  absl::WebSafeBase64Escape(claims, &second);
  return absl::StrCat(first, ".", second, ".", signature);
}

}  // namespace apollo
