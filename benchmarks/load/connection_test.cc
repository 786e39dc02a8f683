#include "benchmarks/load/connection.h"

#include <absl/flags/declare.h>
#include <absl/flags/flag.h>
#include <absl/flags/reflection.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

ABSL_DECLARE_FLAG(std::string, tls_ca);
ABSL_DECLARE_FLAG(std::string, tls_cert);
ABSL_DECLARE_FLAG(std::string, tls_key);

namespace apollo::load {
namespace {

using testing::HasSubstr;

class ConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name :
         {"APOLLO_SERVER", "APOLLO_TLS_CA", "APOLLO_TLS_CERT", "APOLLO_TLS_KEY",
          "APOLLO_TLS_SERVER_NAME"}) {
      unsetenv(name);
    }
  }
  void TearDown() override { unsetenv("APOLLO_TLS_CA"); }

  static void ExpectError(const std::string& part) {
    EXPECT_THAT(std::string(ConnectByFlags().status().message()),
                HasSubstr(part));
  }

  const absl::FlagSaver saver_;
};

TEST_F(ConnectionTest, IsPlaintextWithoutFlags) {
  EXPECT_TRUE(ConnectByFlags().ok());
}

TEST_F(ConnectionTest, ACertificateNeedsTheOtherFiles) {
  absl::SetFlag(&FLAGS_tls_cert, "/nonexistent/me.pem");
  ExpectError("--tls_cert and --tls_key");
  absl::SetFlag(&FLAGS_tls_key, "/nonexistent/me.key");
  ExpectError("--tls_ca is missing");
  absl::SetFlag(&FLAGS_tls_ca, "/nonexistent/ca.pem");
  ExpectError("/nonexistent/ca.pem");
}

TEST_F(ConnectionTest, FlagsPrecedeTheEnvironment) {
  setenv("APOLLO_TLS_CA", "/nonexistent/of_environment", 1);
  ExpectError("/nonexistent/of_environment");
  absl::SetFlag(&FLAGS_tls_ca, "/nonexistent/of_flag");
  ExpectError("/nonexistent/of_flag");
}

}  // namespace
}  // namespace apollo::load
