#include "router/request/request_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace apollo {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

void ExpectFieldError(const absl::Status& status, const std::string& field) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
  EXPECT_THAT(std::string(status.message()), StartsWith(field + " "));
}

// The gRPC front cannot produce these numbers, but another front could. Each
// front tests its own translation.
TEST(CheckGenerateTest, RefusesNumbersBeyondTheWireTypes) {
  const auto check = [](void (*spoil)(GenerateInput&)) {
    GenerateInput input;
    input.input.prompt = "x";
    spoil(input);
    FieldErrors errors;
    CheckGenerate(input, RequestLimits(), FamilyTable::Paper(), errors);
    return errors.status();
  };
  EXPECT_TRUE(check([](GenerateInput&) {}).ok());
  ExpectFieldError(check([](GenerateInput& i) { i.choices = 0; }),
                   "sampling.choices");
  ExpectFieldError(check([](GenerateInput& i) { i.max_new_tokens = -1; }),
                   "max_new_tokens");
  ExpectFieldError(check([](GenerateInput& i) { i.sampling.top_k = -1; }),
                   "sampling.top_k");
  ExpectFieldError(check([](GenerateInput& i) { i.sampling.top_p = 0; }),
                   "sampling.top_p");
  ExpectFieldError(check([](GenerateInput& i) { i.top_logprobs = INT64_MAX; }),
                   "logprobs");
  ExpectFieldError(check([](GenerateInput& i) { i.prompt_logprobs = -1; }),
                   "prompt_logprobs");
}

TEST(CheckTextTest, ChecksTheSize) {
  const RequestLimits limits;
  EXPECT_TRUE(CheckText(std::string(1 << 20, 'a'), limits).ok());
  ExpectFieldError(CheckText("", limits), "text");
  ExpectFieldError(CheckText(std::string((1 << 20) + 1, 'a'), limits), "text");
}

TEST(CheckRoutingWindowTest, FromTheStartToAnHour) {
  EXPECT_EQ(*CheckRoutingWindow(0), absl::ZeroDuration());
  EXPECT_EQ(*CheckRoutingWindow(1), absl::Seconds(1));
  EXPECT_EQ(*CheckRoutingWindow(3600), absl::Hours(1));
  for (const std::int64_t seconds :
       {std::int64_t{-1}, std::int64_t{3601},
        std::numeric_limits<std::int64_t>::min(),
        std::numeric_limits<std::int64_t>::max()}) {
    const absl::Status status = CheckRoutingWindow(seconds).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << seconds;
    EXPECT_THAT(std::string(status.message()), HasSubstr("window_seconds"));
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(std::to_string(seconds)));
  }
}

}  // namespace
}  // namespace apollo
