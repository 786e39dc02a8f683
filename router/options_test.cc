#include "router/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace apollo {
namespace {

TEST(RouterOptionsTest, TheDefaultsAreRight) {
  EXPECT_TRUE(CheckRouterOptions({}).ok());
}

TEST(RouterOptionsTest, NamesTheFlagThatIsWrong) {
  const struct {
    const char* flag;
    void (*spoil)(RouterOptions&);
  } kCases[] = {
      {"--language_threshold is 1.5; it must be from 0 to 1",
       [](RouterOptions& o) { o.model.language_threshold = 1.5; }},
      {"--language_threshold is -0.1",
       [](RouterOptions& o) { o.model.language_threshold = -0.1; }},
      {"--language_threshold is nan",
       [](RouterOptions& o) {
         o.model.language_threshold = std::numeric_limits<double>::quiet_NaN();
       }},
      {"--max_calls", [](RouterOptions& o) { o.calls.max_calls = 0; }},
      {"--call_output_bytes",
       [](RouterOptions& o) { o.calls.output_bytes = -1; }},
      {"--stalled_client_timeout",
       [](RouterOptions& o) {
         o.calls.stalled_client_timeout = absl::ZeroDuration();
       }},
      {"--silent_client_timeout",
       [](RouterOptions& o) {
         o.silent_client_timeout = absl::ZeroDuration();
       }},
      // gRPC would use its own default of 2 hours.
      {"--silent_client_timeout",
       [](RouterOptions& o) {
         o.silent_client_timeout = absl::Milliseconds(2);
       }},
      {"--silent_client_timeout",
       [](RouterOptions& o) {
         o.silent_client_timeout = absl::InfiniteDuration();
       }},
      {"--audit_max_megabytes",
       [](RouterOptions& o) { o.audit.max_megabytes = 0; }},
      {"--audit_files is 1; it must be from 2 to 1000",
       [](RouterOptions& o) { o.audit.files = 1; }},
      {"--max_streams_per_connection",
       [](RouterOptions& o) { o.max_streams_per_connection = 0; }},
      {"--max_connection_age is 999ms; it must be from 1s to 500h, or inf",
       [](RouterOptions& o) {
         o.max_connection_age = absl::Milliseconds(999);
       }},
      // gRPC keeps it in an int, of milliseconds.
      {"--max_connection_age",
       [](RouterOptions& o) { o.max_connection_age = absl::Hours(600); }},
      {"--max_metadata_bytes",
       [](RouterOptions& o) { o.max_metadata_bytes = 1023; }},
  };
  for (const auto& [flag, spoil] : kCases) {
    RouterOptions options;
    spoil(options);
    const absl::Status status = CheckRouterOptions(options);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << flag;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(flag));
  }
}

// A laptop that is closed for a minute, or a user who thinks, loses no answer.
TEST(RouterOptionsTest, ClientsMayBeSilentForMinutes) {
  EXPECT_GE(RouterOptions().silent_client_timeout, absl::Minutes(2));
}

}  // namespace
}  // namespace apollo
