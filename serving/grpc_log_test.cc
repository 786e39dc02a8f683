#include "serving/grpc_log.h"

#include <gmock/gmock.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/version_info.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "serving/grpc_report.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Writes a line as gRPC does.
void Write(const char* file, gpr_log_severity severity, const char* text) {
#if GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR < 66
  gpr_log(file, 7, severity, "%s", text);
#else
  grpc_absl_log(file, 7, severity, text);
#endif
}

std::string LogOf(const char* file, gpr_log_severity severity,
                  const char* text) {
  grpc_init();  // gRPC logs nothing before.
  CaptureGrpcLog();
  testing::internal::CaptureStderr();
  Write(file, severity, text);
  return testing::internal::GetCapturedStderr();
}

TEST(GrpcLogTest, AFailedHandshakeIsALineWithItsReason) {
  const std::string log = LogOf("src/core/tsi/ssl_transport_security.cc",
                                GPR_LOG_SEVERITY_ERROR, "bad certificate");
  EXPECT_THAT(log, HasSubstr("\"event\":\"grpc_error_reported\""));
  EXPECT_THAT(log, HasSubstr("\"source\":\"ssl_transport_security.cc:7\""));
  EXPECT_THAT(log, HasSubstr("bad certificate"));
}

TEST(GrpcLogTest, OtherTextsStayOut) {
  const std::string log =
      LogOf("src/core/ext/transport/parsing.cc", GPR_LOG_SEVERITY_ERROR,
            "invalid value: chest pain");
  EXPECT_THAT(log, HasSubstr("\"source\":\"parsing.cc:7\""));
  EXPECT_THAT(log, Not(HasSubstr("chest")));
}

TEST(GrpcLogTest, LinesThatAreNoErrorsStayOut) {
  EXPECT_EQ(LogOf("tls_security_connector.cc", GPR_LOG_SEVERITY_INFO, "hello"),
            "");
}

TEST(GrpcLogTest, LinesAreLimited) {
  grpc_init();  // gRPC logs nothing before.
  CaptureGrpcLog();
  testing::internal::CaptureStderr();
  for (int i = 0; i < 1000; ++i) {
    Write("ssl_transport_security.cc", GPR_LOG_SEVERITY_ERROR, "again");
  }
  const std::string log = testing::internal::GetCapturedStderr();
  // The clock is real: some seconds may begin meanwhile.
  EXPECT_LT(std::count(log.begin(), log.end(), '\n'), 500);
}

// However many lines there were in this second.
TEST(GrpcLogTest, TheLastLineOfAProcessIsWritten) {
  testing::internal::CaptureStderr();
  for (int i = 0; i < 1000; ++i) {
    ReportGrpcError(GrpcSeverity::kError, "a/noise.cc", i, "again");
  }
  ReportGrpcError(GrpcSeverity::kFatal, "a/last.cc", 7, "chest pain");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("\"event\":\"grpc_failed\""));
  EXPECT_THAT(log, HasSubstr("\"source\":\"last.cc:7\""));
  EXPECT_THAT(log, Not(HasSubstr("chest")));
}

}  // namespace
}  // namespace apollo
