#include "tracing/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

constexpr char kExample[] =
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContextTest, AContextTravelsAsText) {
  const auto context = ParseTraceparent(kExample, "vendor=a,other=b");
  ASSERT_TRUE(context.has_value());
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(context->trace_id[0], 0x4b);
  EXPECT_EQ(context->span_id[7], 0xb7);
  EXPECT_EQ(context->state, "vendor=a,other=b");
  EXPECT_EQ(FormatTraceparent(*context), kExample);
  EXPECT_EQ(TraceIdText(*context), "4bf92f3577b34da6a3ce929d0e0e4736");

  const auto unsampled = ParseTraceparent(
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02");
  ASSERT_TRUE(unsampled.has_value());
  EXPECT_FALSE(unsampled->sampled);
}

TEST(TraceContextTest, LaterVersionsMayBeLonger) {
  EXPECT_TRUE(ParseTraceparent(
      "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"));
  for (const char* wrong :
       {"", "00", "hello",
        // Zero ids, capitals, a later field in version 00, version ff.
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g"}) {
    EXPECT_FALSE(ParseTraceparent(wrong)) << wrong;
  }
}

TEST(TraceContextTest, AStateThatCannotTravelIsLeftOut) {
  EXPECT_EQ(ParseTraceparent(kExample, std::string(513, 'a'))->state, "");
  EXPECT_EQ(ParseTraceparent(kExample, std::string(512, 'a'))->state.size(),
            512u);
  EXPECT_EQ(ParseTraceparent(kExample, "a=\n")->state, "");
}

TEST(TraceContextTest, AContextTravelsInBytes) {
  auto context = *ParseTraceparent(kExample);
  EXPECT_EQ(PackTraceContext(context).size(), 25u);
  EXPECT_EQ(UnpackTraceContext(PackTraceContext(context)), context);
  context.sampled = false;
  EXPECT_EQ(UnpackTraceContext(PackTraceContext(context)), context);
  EXPECT_FALSE(UnpackTraceContext(""));
  EXPECT_FALSE(UnpackTraceContext(PackTraceContext(context) + "x"));
  EXPECT_FALSE(UnpackTraceContext(std::string(25, '\0')));
}

TEST(TraceContextTest, ASpanJoinsTheTraceOfItsParent) {
  const auto parent = *ParseTraceparent(kExample, "vendor=a");
  const TraceContext child = BeginSpan(parent, /*sample=*/0);
  EXPECT_EQ(child.trace_id, parent.trace_id);
  EXPECT_NE(child.span_id, parent.span_id);
  EXPECT_TRUE(child.sampled);
  EXPECT_EQ(child.state, "vendor=a");

  auto untraced = parent;
  untraced.sampled = false;
  EXPECT_FALSE(BeginSpan(untraced, /*sample=*/1).sampled);
}

TEST(TraceContextTest, AShareOfTheTracesThatBeginIsSampled) {
  int sampled = 0;
  for (int i = 0; i < 4000; ++i) {
    EXPECT_FALSE(BeginSpan(std::nullopt, 0).sampled);
    EXPECT_TRUE(BeginSpan(std::nullopt, 1).sampled);
    if (BeginSpan(std::nullopt, 0.25).sampled) ++sampled;
  }
  // Ten standard deviations around 1000.
  EXPECT_NEAR(sampled, 1000, 274);
}

}  // namespace
}  // namespace apollo
