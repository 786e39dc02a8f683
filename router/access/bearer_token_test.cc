#include "router/access/bearer_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "router/access/token_signer.h"

namespace apollo {
namespace {

using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(2'000'000'000);

// Returns the claims of a token that is valid for an hour, with others.
std::string Claims(const std::string& others = "") {
  return R"({"iss": "https://login", "aud": "apollo", "sub": "portal",
      "exp": 2000003600)" +
         others + "}";
}

JwkSet Keys(const std::vector<std::string>& jwks) {
  auto keys = JwkSet::Parse(KeySet(jwks), "keys.json");
  EXPECT_TRUE(keys.ok()) << keys.status();
  return *std::move(keys);
}

std::string ErrorOf(const std::string& token, const JwkSet& keys,
                    absl::Time now = kNow) {
  const auto claims = VerifyToken(token, keys, now);
  EXPECT_EQ(claims.status().code(), absl::StatusCode::kUnauthenticated);
  return std::string(claims.status().message());
}

std::string KeyError(const std::string& text) {
  const auto keys = JwkSet::Parse(text, "keys.json");
  EXPECT_EQ(keys.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(keys.status().message());
}

class BearerTokenTest : public testing::Test {
 protected:
  const TokenSigner signer_ = TokenSigner::Ec("k1");
  const JwkSet keys_ = Keys({signer_.Jwk()});
};

TEST_F(BearerTokenTest, AValidTokenHasClaims) {
  const auto claims =
      VerifyToken(signer_.Sign("ES256", Claims(R"(, "n": 7)")), keys_, kNow);
  ASSERT_TRUE(claims.ok()) << claims.status();
  EXPECT_EQ(claims->issuer, "https://login");
  EXPECT_THAT(claims->audiences, testing::ElementsAre("apollo"));
  EXPECT_EQ(claims->texts.at("sub"), "portal");
  EXPECT_EQ(claims->texts.count("n"), 0u);
}

TEST_F(BearerTokenTest, KeysOfAllKinds) {
  const TokenSigner rsa = TokenSigner::Rsa("r");
  const JwkSet keys = Keys({rsa.Jwk(), signer_.Jwk()});
  for (const char* algorithm : {"RS256", "RS512", "PS256"}) {
    EXPECT_TRUE(VerifyToken(rsa.Sign(algorithm, Claims()), keys, kNow).ok())
        << algorithm;
  }
  EXPECT_TRUE(VerifyToken(signer_.Sign("ES256", Claims()), keys, kNow).ok());
}

TEST_F(BearerTokenTest, AnotherSignatureIsRefused) {
  // The same id, another key.
  const TokenSigner other = TokenSigner::Ec("k1");
  EXPECT_THAT(ErrorOf(other.Sign("ES256", Claims()), keys_),
              HasSubstr("is not signed with the key that it names"));
  std::string token = signer_.Sign("ES256", Claims());
  const std::size_t last = token.size() - 3;
  token[last] = token[last] == 'A' ? 'B' : 'A';
  EXPECT_THAT(ErrorOf(token, keys_), HasSubstr("is not signed"));
}

TEST_F(BearerTokenTest, OtherClaimsWithTheSameSignatureAreRefused) {
  const std::string token = signer_.Sign("ES256", Claims());
  const std::string signature = token.substr(token.rfind('.') + 1);
  EXPECT_THAT(ErrorOf(UnsignedToken(R"({"alg": "ES256", "kid": "k1"})",
                                    Claims(R"(, "admin": "yes")"), signature),
                      keys_),
              HasSubstr("is not signed"));
}

TEST_F(BearerTokenTest, AlgNoneIsAlwaysRefused) {
  for (const char* header :
       {R"({"alg": "none", "kid": "k1"})", R"({"alg": "None", "kid": "k1"})",
        R"({"kid": "k1"})", R"({"alg": 7, "kid": "k1"})"}) {
    EXPECT_THAT(ErrorOf(UnsignedToken(header, Claims()), keys_),
                HasSubstr("has an \"alg\" that its key does not allow"))
        << header;
  }
}

// A public key must not serve as a secret, which everybody knows.
TEST_F(BearerTokenTest, TheKeyDecidesAboutTheAlgorithm) {
  const TokenSigner secret = TokenSigner::Secret("k1");
  EXPECT_THAT(ErrorOf(secret.Sign("HS256", Claims()), keys_),
              HasSubstr("does not allow"));
  const TokenSigner rsa = TokenSigner::Rsa("r");
  std::string jwk = rsa.Jwk();
  jwk.insert(1, R"("alg": "RS512", )");
  const JwkSet keys = Keys({jwk});
  EXPECT_TRUE(VerifyToken(rsa.Sign("RS512", Claims()), keys, kNow).ok());
  EXPECT_THAT(ErrorOf(rsa.Sign("RS256", Claims()), keys),
              HasSubstr("does not allow"));
}

TEST_F(BearerTokenTest, ASharedSecretCountsOnlyIfTheFileSaysSo) {
  const TokenSigner secret = TokenSigner::Secret("s");
  std::string jwk = secret.Jwk();
  EXPECT_THAT(
      KeyError(KeySet({jwk})),
      HasSubstr("keys[0] is a shared secret (\"oct\") without \"alg\""));
  jwk.insert(1, R"("alg": "HS256", )");
  EXPECT_TRUE(
      VerifyToken(secret.Sign("HS256", Claims()), Keys({jwk}), kNow).ok());
}

TEST_F(BearerTokenTest, TimesAreCheckedWithALeeway) {
  const std::string token =
      signer_.Sign("ES256", Claims(R"(, "nbf": 2000000000)"));
  const absl::Time end = kNow + absl::Hours(1);
  EXPECT_TRUE(VerifyToken(token, keys_, end + absl::Seconds(59)).ok());
  EXPECT_THAT(ErrorOf(token, keys_, end + absl::Seconds(60)),
              HasSubstr("has expired"));
  EXPECT_TRUE(VerifyToken(token, keys_, kNow - absl::Seconds(60)).ok());
  EXPECT_THAT(ErrorOf(token, keys_, kNow - absl::Seconds(61)),
              HasSubstr("is not valid yet"));
}

TEST_F(BearerTokenTest, ClaimsThatMustBeThere) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"iss": "i", "aud": "a"})", "has no \"exp\""},
      {R"({"iss": "i", "exp": 2000000001})", "has no \"aud\""},
      {R"({"aud": "a", "exp": 2000000001})", "has no \"iss\""},
      {R"({"iss": 1, "aud": "a", "exp": 2000000001})", "has no \"iss\""},
      {R"({"iss": "i", "aud": 1, "exp": 2000000001})",
       "has an \"aud\" that is no text"},
      {R"({"iss": "i", "aud": "a", "exp": "soon"})", "that is no number"},
      {R"({"iss": "i", "iss": "j", "aud": "a", "exp": 2000000001})",
       "has claims that are no JSON object"},
      {"[]", "has claims that are no JSON object"},
  };
  for (const auto& [claims, error] : cases) {
    EXPECT_THAT(ErrorOf(signer_.Sign("ES256", claims), keys_),
                HasSubstr(error));
  }
}

TEST_F(BearerTokenTest, TokensThatAreNone) {
  for (const std::string& token :
       {std::string(), std::string("x"), std::string("..."),
        std::string("a.b.c"), UnsignedToken("[]", "{}"),
        UnsignedToken(R"({"alg": "ES256", "alg": "none"})", "{}")}) {
    EXPECT_THAT(ErrorOf(token, keys_), HasSubstr("is no JSON Web Token"));
  }
  EXPECT_THAT(ErrorOf(std::string(kMaxTokenBytes + 1, 'a'), keys_),
              HasSubstr("is larger than 8 KiB"));
  EXPECT_THAT(
      ErrorOf(UnsignedToken(R"({"alg": "ES256", "kid": "k1", "crit": ["b64"]})",
                            Claims()),
              keys_),
      HasSubstr("\"crit\""));
}

// An issuer adds a key before it uses it, and drops the old one later.
TEST_F(BearerTokenTest, KeysRotateByTheirIds) {
  const TokenSigner next = TokenSigner::Ec("k2");
  const std::string old_token = signer_.Sign("ES256", Claims());
  const std::string new_token = next.Sign("ES256", Claims());
  EXPECT_THAT(ErrorOf(new_token, keys_),
              HasSubstr("names no key of --jwt_keys"));
  const JwkSet both = Keys({signer_.Jwk(), next.Jwk()});
  EXPECT_TRUE(VerifyToken(old_token, both, kNow).ok());
  EXPECT_TRUE(VerifyToken(new_token, both, kNow).ok());
  const JwkSet later = Keys({next.Jwk()});
  EXPECT_THAT(ErrorOf(old_token, later), HasSubstr("names no key"));
  EXPECT_TRUE(VerifyToken(new_token, later, kNow).ok());
}

TEST_F(BearerTokenTest, ATokenWithoutAnIdNeedsASingleKey) {
  const TokenSigner nameless = TokenSigner::Ec("");
  const std::string token = nameless.Sign("ES256", Claims());
  EXPECT_TRUE(VerifyToken(token, Keys({nameless.Jwk()}), kNow).ok());
  EXPECT_THAT(ErrorOf(token, Keys({nameless.Jwk(), signer_.Jwk()})),
              HasSubstr("names no key"));
}

TEST_F(BearerTokenTest, ErrorsOfKeysNameThemByNumber) {
  EXPECT_THAT(KeyError("{"), HasSubstr("keys.json: malformed JSON"));
  EXPECT_THAT(KeyError("[]"), HasSubstr("an object with an array \"keys\""));
  EXPECT_THAT(KeyError(KeySet({})), HasSubstr("has no key that can be used"));
  EXPECT_THAT(KeyError(KeySet({signer_.Jwk(), "7"})),
              HasSubstr("keys.json: keys[1] is no object"));
  EXPECT_THAT(KeyError(KeySet({R"({"kty": "EC", "crv": "P-256"})"})),
              HasSubstr("keys[0] is no valid JSON Web Key"));
  EXPECT_THAT(KeyError(KeySet({signer_.Jwk(), signer_.Jwk()})),
              HasSubstr("keys[1] has the same \"kid\""));
  EXPECT_THAT(KeyError(KeySet({TokenSigner::Rsa("r", 1024).Jwk()})),
              HasSubstr("keys[0] has 1024 bits; it must have at least 2048"));
  EXPECT_THAT(KeyError(KeySet({R"({"kty": "EC", "crv": "P-256",
      "alg": "HS256"})"})),
              HasSubstr("keys[0] has an \"alg\" that its type does not have"));
}

TEST_F(BearerTokenTest, KeysForOtherPurposesAreLeftOut) {
  const JwkSet keys = Keys({R"({"kty": "OKP", "crv": "Ed25519", "x": "AA"})",
                            R"({"kty": "RSA", "use": "enc"})", signer_.Jwk()});
  EXPECT_EQ(keys.size(), 1u);
}

TEST(TokenOfHeaderTest, OnlyBearer) {
  EXPECT_EQ(*TokenOfHeader("Bearer abc"), "abc");
  EXPECT_EQ(*TokenOfHeader("bearer  abc "), "abc");
  for (const char* header : {"", "abc", "Basic abc", "Bearer"}) {
    EXPECT_EQ(TokenOfHeader(header).status().code(),
              absl::StatusCode::kUnauthenticated);
  }
}

}  // namespace
}  // namespace apollo
