#include "router/access/bearer_token.h"

#include <absl/strings/ascii.h>
#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/json.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

constexpr std::string_view kScheme = "bearer ";

absl::Status Refused(const char* why) {
  return absl::UnauthenticatedError(absl::StrCat("the bearer token ", why));
}

// Returns a claim that is a number of seconds since 1970. Numbers that a time
// cannot hold are infinite.
absl::StatusOr<std::optional<absl::Time>> TimeOf(const Json& claims,
                                                 const char* name) {
  const auto it = claims.find(name);
  if (it == claims.end()) return std::nullopt;
  if (!it->is_number()) {
    return Refused("has an \"exp\" or \"nbf\" that is no number");
  }
  return std::optional<absl::Time>(absl::UnixEpoch() +
                                   absl::Seconds(it->get<double>()));
}

absl::Status ReadTimes(const Json& json, TokenClaims& claims) {
  ASSIGN_OR_RETURN(const auto expiry, TimeOf(json, "exp"));
  ASSIGN_OR_RETURN(claims.start, TimeOf(json, "nbf"));
  if (!expiry) return Refused("has no \"exp\"");
  claims.expiry = *expiry;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> AudiencesOf(const Json& claims) {
  const auto it = claims.find("aud");
  if (it == claims.end()) return Refused("has no \"aud\"");
  std::vector<std::string> audiences;
  const Json one = it->is_array() ? *it : Json::array({*it});
  for (const Json& audience : one) {
    if (!audience.is_string()) return Refused("has an \"aud\" that is no text");
    audiences.push_back(audience.get<std::string>());
  }
  return audiences;
}

// Returns the key that the token's header names and allows.
absl::StatusOr<const VerificationKey*> KeyOf(const std::string& token,
                                             const JwkSet& keys) {
  std::string header;
  const std::size_t end = token.find('.');
  if (end == std::string::npos ||
      !absl::WebSafeBase64Unescape(token.substr(0, end), &header)) {
    return Refused("is no JSON Web Token");
  }
  const absl::StatusOr<Json> json = ParseJson(header, "header");
  if (!json.ok() || !json->is_object()) {
    return Refused("is no JSON Web Token");
  }
  if (json->contains("crit")) {
    return Refused("has a header with \"crit\", which is not supported");
  }
  const auto text = [&](const char* name) {
    const auto it = json->find(name);
    return it != json->end() && it->is_string() ? it->get<std::string>() : "";
  };
  const VerificationKey* key = keys.Find(text("kid"));
  if (key == nullptr) return Refused("names no key of --jwt_keys");
  if (!key->Allows(text("alg"))) {
    return Refused("has an \"alg\" that its key does not allow");
  }
  return key;
}

}  // namespace

absl::StatusOr<TokenClaims> VerifyToken(const std::string& token,
                                        const JwkSet& keys, absl::Time now) {
  if (token.size() > kMaxTokenBytes) return Refused("is larger than 8 KiB");
  ASSIGN_OR_RETURN(const VerificationKey* const key, KeyOf(token, keys));
  const std::optional<std::string> payload = key->Verify(token);
  if (!payload) return Refused("is not signed with the key that it names");
  const absl::StatusOr<Json> claims = ParseJson(*payload, "claims");
  if (!claims.ok() || !claims->is_object()) {
    return Refused("has claims that are no JSON object");
  }
  TokenClaims out;
  RETURN_IF_ERROR(ReadTimes(*claims, out));
  RETURN_IF_ERROR(CheckTokenTimes(out, now));
  ASSIGN_OR_RETURN(out.audiences, AudiencesOf(*claims));
  for (const auto& [name, value] : claims->items()) {
    if (value.is_string()) out.texts[name] = value.get<std::string>();
  }
  const auto issuer = out.texts.find("iss");
  if (issuer == out.texts.end()) return Refused("has no \"iss\"");
  out.issuer = issuer->second;
  if (!key->issuer().empty() && key->issuer() != out.issuer) {
    return Refused("is signed with a key of another issuer than its \"iss\"");
  }
  return out;
}

absl::Status CheckTokenTimes(const TokenClaims& claims, absl::Time now) {
  if (now >= claims.expiry + kTokenLeeway) return Refused("has expired");
  if (claims.start && now < *claims.start - kTokenLeeway) {
    return Refused("is not valid yet");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> TokenOfHeader(std::string_view authorization) {
  if (authorization.size() < kScheme.size() ||
      !absl::EqualsIgnoreCase(ToAbsl(authorization.substr(0, kScheme.size())),
                              ToAbsl(kScheme))) {
    return absl::UnauthenticatedError(
        "the scheme of \"authorization\" must be Bearer");
  }
  return std::string(
      absl::StripAsciiWhitespace(ToAbsl(authorization.substr(kScheme.size()))));
}

}  // namespace apollo
