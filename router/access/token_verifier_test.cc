#include "router/access/token_verifier.h"

#include <gtest/gtest.h>

#include <string>

#include "router/access/token_signer.h"

namespace apollo {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(2'000'000'000);

JwkSet KeysOf(const TokenSigner& signer) {
  return *JwkSet::Parse(KeySet({signer.Jwk()}), "keys");
}

class TokenVerifierTest : public testing::Test {
 protected:
  // Returns a token that is valid until kNow + 100 s.
  std::string Token(const std::string& subject) {
    return signer_.Sign(
        "ES256", R"({"iss": "i", "aud": "a", "exp": 2000000100, "sub": ")" +
                     subject + "\"}");
  }

  const TokenSigner signer_ = TokenSigner::Ec("k");
  TokenVerifier verifier_{KeysOf(signer_), /*max_tokens=*/2};
};

TEST_F(TokenVerifierTest, ATokenIsVerifiedOnce) {
  const std::string token = Token("x");
  for (int i = 0; i < 3; ++i) {
    const auto claims = verifier_.Verify(token, kNow);
    ASSERT_TRUE(claims.ok()) << claims.status();
    EXPECT_EQ((*claims)->texts.at("sub"), "x");
  }
  EXPECT_EQ(verifier_.misses(), 1);
}

TEST_F(TokenVerifierTest, AKnownTokenExpires) {
  const std::string token = Token("x");
  ASSERT_TRUE(verifier_.Verify(token, kNow).ok());
  const absl::Time end = kNow + absl::Seconds(100) + kTokenLeeway;
  EXPECT_TRUE(verifier_.Verify(token, end - absl::Seconds(1)).ok());
  EXPECT_EQ(verifier_.Verify(token, end).status().code(),
            absl::StatusCode::kUnauthenticated);
}

TEST_F(TokenVerifierTest, WhatLooksLikeAKnownTokenIsVerified) {
  std::string token = Token("x");
  ASSERT_TRUE(verifier_.Verify(token, kNow).ok());
  token[token.size() / 2] ^= 1;
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(verifier_.Verify(token, kNow).ok());
  }
  EXPECT_EQ(verifier_.misses(), 3);  // Refusals are not kept.
}

TEST_F(TokenVerifierTest, TheOldestIsForgotten) {
  const std::string first = Token("1"), last = Token("3");
  for (const std::string& token : {first, Token("2"), last}) {
    ASSERT_TRUE(verifier_.Verify(token, kNow).ok());
  }
  ASSERT_TRUE(verifier_.Verify(last, kNow).ok());
  EXPECT_EQ(verifier_.misses(), 3);
  ASSERT_TRUE(verifier_.Verify(first, kNow).ok());
  EXPECT_EQ(verifier_.misses(), 4);
}

}  // namespace
}  // namespace apollo
