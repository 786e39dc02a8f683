#include "model/config/model_warnings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace apollo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ModelWarningsTest, AreLoggedOrRefused) {
  const std::vector<std::string> warnings = {"first doubt", "second doubt"};
  testing::internal::CaptureStderr();
  EXPECT_TRUE(ReportModelWarnings(warnings, /*strict=*/false).ok());
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("model_doubtful"), HasSubstr("first doubt"),
                    HasSubstr("second doubt"), HasSubstr("warn")));
  const absl::Status strict = ReportModelWarnings(warnings, /*strict=*/true);
  EXPECT_EQ(strict.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(strict.message()),
              AllOf(HasSubstr("first doubt"), HasSubstr("--strict_model")));
}

TEST(ModelWarningsTest, NoneIsSilent) {
  testing::internal::CaptureStderr();
  EXPECT_TRUE(ReportModelWarnings({}, /*strict=*/true).ok());
  EXPECT_TRUE(ReportModelWarnings({}, /*strict=*/false).ok());
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace apollo
