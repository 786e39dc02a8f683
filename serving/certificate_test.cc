#include "serving/certificate.h"

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serving/test_certificates.h"

namespace apollo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(CertificateTest, HasItsTimesNamesAndFingerprint) {
  TestAuthority authority;
  const absl::Time from = absl::FromUnixSeconds(1'700'000'000);
  const absl::Time to = absl::FromUnixSeconds(1'800'000'000);
  const TestIdentity identity =
      authority.Sign({.names = {"URI:spiffe://apollo/router/r0", "DNS:a.b",
                                "URI:https://x", "IP:10.0.0.1"},
                      .not_before = from,
                      .not_after = to});
  const auto certificate = ParseCertificate(identity.certificate);
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  EXPECT_EQ(certificate->not_before, from);
  EXPECT_EQ(certificate->not_after, to);
  EXPECT_THAT(certificate->uris,
              ElementsAre("spiffe://apollo/router/r0", "https://x"));
  EXPECT_THAT(certificate->dns_names, ElementsAre("a.b"));
  EXPECT_EQ(certificate->sha256.size(), 64U);
  // That of the certificate, not of anything behind it.
  const auto again =
      ParseCertificate(identity.certificate + authority.certificate());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *certificate);
}

TEST(CertificateTest, OtherTextsAreRefused) {
  EXPECT_EQ(ParseCertificate("").status().code(),
            absl::StatusCode::kInvalidArgument);
  TestAuthority authority;
  const TestIdentity identity = authority.SignFor("client/c");
  EXPECT_FALSE(ParseCertificate(identity.key).ok());
  EXPECT_FALSE(ParseCertificate(identity.certificate.substr(
                                    0, identity.certificate.size() / 2))
                   .ok());
}

TEST(CertificateTest, AKeyMustBeThatOfTheCertificate) {
  TestAuthority authority;
  const TestIdentity one = authority.SignFor("client/one");
  const TestIdentity two = authority.SignFor("client/two");
  EXPECT_TRUE(CheckKey(one.certificate, one.key).ok());
  EXPECT_THAT(std::string(CheckKey(one.certificate, two.key).message()),
              HasSubstr("not the key of the certificate"));
  EXPECT_THAT(std::string(CheckKey(one.certificate, "").message()),
              HasSubstr("no private key"));
}

TEST(CertificateTest, TheIssuerMustBeAnAuthority) {
  TestAuthority authority, other;
  const TestIdentity identity = authority.SignFor("client/c");
  const absl::Time now = absl::Now();
  EXPECT_TRUE(
      CheckIssuer(identity.certificate, authority.certificate(), now).ok());
  EXPECT_TRUE(CheckIssuer(identity.certificate,
                          other.certificate() + authority.certificate(), now)
                  .ok());
  EXPECT_EQ(CheckIssuer(identity.certificate, other.certificate(), now).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CheckIssuer(identity.certificate, "", now).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(CertificateTest, TheChainMustBeValidNow) {
  TestAuthority authority;
  const TestIdentity identity = authority.SignFor("client/c");
  const absl::Time now = absl::Now();
  for (const absl::Duration off : {-absl::Hours(60), absl::Hours(24 * 70)}) {
    EXPECT_FALSE(
        CheckIssuer(identity.certificate, authority.certificate(), now + off)
            .ok())
        << off;
  }
}

TEST(CertificateTest, NamesHostsAndAddresses) {
  TestAuthority authority;
  const std::string pem =
      authority
          .Sign({.names = {"DNS:dense.example", "DNS:*.workers.example",
                           "IP:10.0.0.1", "IP:::1"}})
          .certificate;
  for (const char* host : {"dense.example", "DENSE.example",
                           "a.workers.example", "10.0.0.1", "::1"}) {
    EXPECT_TRUE(NamesHost(pem, host)) << host;
  }
  for (const char* host : {"", "example", "a.b.workers.example", "10.0.0.2",
                           "somebody", ".dense.example"}) {
    EXPECT_FALSE(NamesHost(pem, host)) << host;
  }
}

}  // namespace
}  // namespace apollo
