#include "sequence/sequence_end.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(SequenceEndTest, TravelsWithAStatusAndChangesNothingElse) {
  for (const SequenceEnd end :
       {SequenceEnd::kAnswered, SequenceEnd::kLost, SequenceEnd::kMoved,
        SequenceEnd::kSilent, SequenceEnd::kUndecided}) {
    const absl::Status status = WithEnd(absl::UnavailableError("gone"), end);
    EXPECT_EQ(EndOf(status), end);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(status.message(), "gone");
    EXPECT_EQ(SequenceEndNamed(NameOf(end)), end);
  }
}

TEST(SequenceEndTest, AStatusWithoutOneIsTheWorkersAnswer) {
  EXPECT_EQ(EndOf(absl::UnavailableError("busy")), SequenceEnd::kAnswered);
  EXPECT_EQ(EndOf(absl::OkStatus()), SequenceEnd::kAnswered);
  EXPECT_EQ(SequenceEndNamed("elsewhere"), std::nullopt);
  EXPECT_EQ(SequenceEndNamed(""), std::nullopt);
}

TEST(SequenceEndTest, TheWorkersAnswerStaysAsItIs) {
  const absl::Status error = absl::DataLossError("no expert");
  EXPECT_EQ(WithEnd(error, SequenceEnd::kAnswered), error);
  EXPECT_EQ(WithEnd(WithEnd(error, SequenceEnd::kLost), SequenceEnd::kAnswered),
            error);
}

TEST(SequenceEndTest, TheLastOneCounts) {
  const absl::Status lost =
      WithEnd(absl::UnavailableError("gone"), SequenceEnd::kLost);
  EXPECT_EQ(EndOf(WithEnd(lost, SequenceEnd::kMoved)), SequenceEnd::kMoved);
}

}  // namespace
}  // namespace apollo
