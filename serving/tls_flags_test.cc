#include "serving/tls_flags.h"

#include <absl/flags/declare.h>
#include <absl/flags/flag.h>
#include <absl/flags/reflection.h>
#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "serving/test_certificates.h"

ABSL_DECLARE_FLAG(std::string, name);
ABSL_DECLARE_FLAG(std::string, tls_cert);
ABSL_DECLARE_FLAG(std::string, tls_key);
ABSL_DECLARE_FLAG(std::string, tls_ca);
ABSL_DECLARE_FLAG(std::string, tls_trust_domain);
ABSL_DECLARE_FLAG(bool, allow_plaintext);
ABSL_DECLARE_FLAG(bool, metrics_plaintext);

namespace apollo {
namespace {

using ::testing::HasSubstr;

class ProcessTlsTest : public testing::Test {
 protected:
  ProcessTlsTest() { flags_.name = "router"; }

  void Give(const TlsFiles& files) {
    absl::SetFlag(&FLAGS_tls_cert, files.certificate);
    absl::SetFlag(&FLAGS_tls_key, files.key);
    absl::SetFlag(&FLAGS_tls_ca, files.authorities);
  }
  absl::Status Secure() {
    return SecureProcess(PeerRole::kRouter, absl::Now(), flags_);
  }
  void ExpectRefused(const std::string& part) {
    const absl::Status status = Secure();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }

  TestAuthority authority_;
  TestFiles files_{authority_.SignFor("router/r7"), authority_.certificate()};
  ProcessFlags flags_;

 private:
  const absl::FlagSaver saver_;
};

TEST_F(ProcessTlsTest, ByDefaultAProcessIsPlaintextAndLocal) {
  ASSERT_TRUE(Secure().ok());
  EXPECT_EQ(flags_.server.tls, nullptr);
  const Membership::Check check = PeerCheck(flags_);
  ASSERT_NE(check, nullptr);
  EXPECT_TRUE(check("127.0.0.1:7001").ok());
  EXPECT_THAT(std::string(check("10.0.0.1:7001").message()),
              HasSubstr("10.0.0.1:7001 is not"));
}

TEST_F(ProcessTlsTest, PlaintextBeyondTheMachineIsRefused) {
  flags_.server.listen = "0.0.0.0:50051";
  ExpectRefused("--listen: 0.0.0.0:50051");
  absl::SetFlag(&FLAGS_allow_plaintext, true);
  ASSERT_TRUE(Secure().ok());
  EXPECT_EQ(PeerCheck(flags_), nullptr);
}

TEST_F(ProcessTlsTest, TheCertificateGivesTheNameAndOpensThePorts) {
  Give(files_.files());
  flags_.server.listen = "0.0.0.0:50051";
  const absl::Status status = Secure();
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_NE(flags_.server.tls, nullptr);
  EXPECT_EQ(flags_.name, "r7");
  EXPECT_EQ(PeerCheck(flags_), nullptr);
}

TEST_F(ProcessTlsTest, AnotherNameIsRefused) {
  Give(files_.files());
  absl::SetFlag(&FLAGS_name, "router");
  ExpectRefused("--name is \"router\"");
  absl::SetFlag(&FLAGS_name, "r7");
  flags_.name = "r7";
  EXPECT_TRUE(Secure().ok());
}

TEST_F(ProcessTlsTest, MetricsBeyondTheMachineNeedTheFlagAlsoWithTls) {
  Give(files_.files());
  flags_.server.metrics_listen = "[::]:9464";
  ExpectRefused("--metrics_listen: [::]:9464");
  absl::SetFlag(&FLAGS_metrics_plaintext, true);
  EXPECT_TRUE(Secure().ok());
}

TEST_F(ProcessTlsTest, AllThreeFilesAreNeeded) {
  TlsFiles files = files_.files();
  files.key = "";
  Give(files);
  ExpectRefused("missing are --tls_key");
}

TEST_F(ProcessTlsTest, NamesAFileThatCannotBeUsed) {
  TlsFiles files = files_.files();
  files.key = "/nonexistent/key.pem";
  Give(files);
  ExpectRefused("--tls_key: ");
  Give(files_.files());
  files_.WriteKey(authority_.SignFor("router/r7").key);
  ExpectRefused("it is not the key of the certificate");
}

TEST_F(ProcessTlsTest, NamesAMalformedTrustDomain) {
  Give(files_.files());
  absl::SetFlag(&FLAGS_tls_trust_domain, "A/b");
  ExpectRefused("--tls_trust_domain is \"A/b\"");
}

}  // namespace
}  // namespace apollo
