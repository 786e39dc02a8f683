#include "router/request/field_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

TEST(FieldErrorsTest, NoneIsOk) {
  EXPECT_TRUE(FieldErrors().status().ok());
  EXPECT_TRUE(FieldProblemsOf(absl::OkStatus()).empty());
  EXPECT_TRUE(FieldProblemsOf(absl::InvalidArgumentError("x")).empty());
}

TEST(FieldErrorsTest, AllFieldsComeInOrderEachOnce) {
  FieldErrors errors;
  errors.Add("b", "is 1");
  errors.Add("a", "is 2");
  errors.Add("b", "is worse");
  const absl::Status status = errors.status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "b is 1; a is 2");
  const auto problems = FieldProblemsOf(status);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].field, "b");
  EXPECT_EQ(problems[0].problem, "is 1");
  EXPECT_EQ(problems[1].field, "a");
}

TEST(FieldErrorsTest, TakesFieldErrorsAndNoOthers) {
  FieldErrors errors;
  EXPECT_TRUE(errors.Take(FieldError("a", "is 1")).ok());
  EXPECT_TRUE(errors.Take(FieldError("b", "is 2")).ok());
  EXPECT_EQ(errors.Take(absl::InternalError("x")), absl::InternalError("x"));
  EXPECT_EQ(errors.status().message(), "a is 1; b is 2");
}

TEST(FieldErrorsTest, FieldsBeyondTheBoundAreCounted) {
  FieldErrors errors;
  for (int i = 0; i < 16; ++i) errors.Add("f" + std::to_string(i), "is bad");
  EXPECT_EQ(errors.status().message().find("more"), std::string::npos);
  for (int i = 16; i < 300; ++i) errors.Add("f" + std::to_string(i), "is bad");
  const std::string message(errors.status().message());
  EXPECT_TRUE(message.ends_with("f15 is bad; and 284 more")) << message;
  EXPECT_EQ(FieldProblemsOf(errors.status()).size(), FieldErrors::kMost);
}

TEST(FieldErrorsTest, AFieldBeyondTheBoundCountsOnce) {
  FieldErrors errors;
  for (int i = 0; i < 18; ++i) errors.Add("f" + std::to_string(i), "is bad");
  errors.Add("f16", "is worse");
  errors.Add("f0", "is worse");
  EXPECT_THAT(std::string(errors.status().message()),
              testing::EndsWith("; and 2 more"));
  for (int i = 0; i < 5000; ++i) errors.Add("f" + std::to_string(i), "is bad");
  EXPECT_THAT(std::string(errors.status().message()),
              testing::EndsWith("; and at least 1000 more"));
}

}  // namespace
}  // namespace apollo
