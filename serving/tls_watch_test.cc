#include "serving/tls_watch.h"

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "serving/test_certificates.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;

class TlsWatchTest : public testing::Test {
 protected:
  TlsWatchTest()
      : files_(first_, authority_.certificate()),
        watch_(files_.files(), ReadTlsMaterial(files_.files(), now_).value(),
               [this](const TlsMaterial& material) {
                 if (!answer_.ok()) return answer_;
                 taken_.push_back(material);
                 return absl::OkStatus();
               }) {}

  // Looks so many times; returns what was logged.
  std::string Look(int times = 1) {
    testing::internal::CaptureStderr();
    for (int i = 0; i < times; ++i) {
      now_ += TlsWatch::kInterval;
      watch_.Look(now_);
    }
    return testing::internal::GetCapturedStderr();
  }

  const std::string& InUse() { return watch_.current().certificate; }

  absl::Time now_ = absl::Now();
  TestAuthority authority_;
  const TestIdentity first_ = authority_.SignFor("router/r");
  const TestIdentity second_ = authority_.SignFor("router/r");
  TestFiles files_;
  absl::Status answer_;
  std::vector<TlsMaterial> taken_;
  TlsWatch watch_;
};

TEST_F(TlsWatchTest, UnchangedFilesChangeNothing) {
  EXPECT_EQ(Look(5), "");
  EXPECT_TRUE(taken_.empty());
}

TEST_F(TlsWatchTest, NewFilesAreTakenOnceTheyHaveSettled) {
  files_.Write(second_);
  EXPECT_EQ(Look(), "");
  EXPECT_TRUE(taken_.empty());
  EXPECT_THAT(Look(), HasSubstr("certificate_renewed"));
  ASSERT_EQ(taken_.size(), 1U);
  EXPECT_EQ(taken_[0].certificate, second_.certificate);
  EXPECT_EQ(taken_[0].key, second_.key);
  EXPECT_EQ(Look(3), "");
  EXPECT_EQ(taken_.size(), 1U);
}

TEST_F(TlsWatchTest, WhoeverAsksGetsNewFilesAtOnceOrTheReason) {
  EXPECT_TRUE(watch_.ReadNow(now_).ok());
  EXPECT_TRUE(taken_.empty());
  files_.WriteCertificate(second_.certificate);
  // Each time, although it is logged once.
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(watch_.ReadNow(now_).message(),
                HasSubstr("not the key of the certificate"));
  }
  EXPECT_EQ(InUse(), first_.certificate);
  files_.WriteKey(second_.key);
  EXPECT_TRUE(watch_.ReadNow(now_).ok());
  EXPECT_EQ(InUse(), second_.certificate);
  EXPECT_EQ(taken_.size(), 1U);
}

TEST_F(TlsWatchTest, ACertificateWithoutItsKeyIsRefusedUntilTheKeyComes) {
  files_.WriteCertificate(second_.certificate);
  const std::string log = Look(4);
  EXPECT_THAT(log, HasSubstr("certificate_refused"));
  EXPECT_THAT(log, HasSubstr("not the key of the certificate"));
  // Only once.
  EXPECT_EQ(log.find("certificate_refused"), log.rfind("certificate_refused"));
  EXPECT_EQ(InUse(), first_.certificate);
  EXPECT_TRUE(taken_.empty());
  files_.WriteKey(second_.key);
  Look(2);
  EXPECT_EQ(InUse(), second_.certificate);
}

TEST_F(TlsWatchTest, HalfAFileIsRefused) {
  files_.WriteCertificate(second_.certificate.substr(0, 100));
  files_.WriteKey(second_.key);
  EXPECT_THAT(Look(3), HasSubstr("certificate_refused"));
  files_.WriteCertificate("");
  Look(3);
  EXPECT_EQ(InUse(), first_.certificate);
  EXPECT_TRUE(taken_.empty());
}

TEST_F(TlsWatchTest, AFileThatStillGrowsWaits) {
  TestAuthority other;
  files_.WriteAuthorities(other.certificate() + authority_.certificate());
  Look();
  files_.WriteAuthorities(authority_.certificate() + other.certificate());
  Look();
  EXPECT_TRUE(taken_.empty());
  Look();
  ASSERT_EQ(taken_.size(), 1U);
  EXPECT_EQ(taken_[0].authorities,
            authority_.certificate() + other.certificate());
}

TEST_F(TlsWatchTest, AnExpiredCertificateOrOneOfAnotherIssuerIsRefused) {
  TestCertificate expired;
  expired.not_after = now_ - absl::Hours(1);
  files_.Write(authority_.Sign(expired));
  EXPECT_THAT(Look(2), HasSubstr("not now"));
  files_.Write(TestAuthority().SignFor("router/r"));
  EXPECT_THAT(Look(2), HasSubstr("certificate_refused"));
  EXPECT_EQ(InUse(), first_.certificate);
}

TEST_F(TlsWatchTest, MaterialThatTheOwnerRefusesIsNotUsed) {
  answer_ = absl::FailedPreconditionError("another name");
  files_.Write(second_);
  EXPECT_THAT(Look(2), HasSubstr("another name"));
  EXPECT_EQ(InUse(), first_.certificate);
}

TEST_F(TlsWatchTest, WarnsDailyInTheLastTwoWeeks) {
  now_ = watch_.current().own.not_after - TlsWatch::kWarning - absl::Hours(1);
  EXPECT_EQ(Look(), "");
  now_ += absl::Hours(1);
  EXPECT_THAT(Look(), HasSubstr("certificate_expiring"));
  EXPECT_EQ(Look(10), "");
  now_ += absl::Hours(24);
  EXPECT_THAT(Look(), HasSubstr("certificate_expiring"));
}

}  // namespace
}  // namespace apollo
