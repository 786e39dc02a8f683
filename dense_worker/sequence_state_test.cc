#include "dense_worker/sequence_state.h"

#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

// The table of the header: one row per state, one letter per event, in order.
TEST(SequenceStateTest, EveryEventInEveryState) {
  const std::string letters =
      "wfaho";  // Waiting, feeding, awaiting, held, over.
  const std::string rows[] = {
      "f-----o",  // Waiting.
      "-a-wh-o",  // Feeding.
      "--fwh-o",  // Awaiting.
      "-----wo",  // Held.
      "-------",  // Over.
  };
  for (int state = 0; state < 5; ++state) {
    for (int event = 0; event < 7; ++event) {
      const auto next = NextState(static_cast<SequenceState>(state),
                                  static_cast<SequenceEvent>(event));
      const char letter = next ? letters[static_cast<int>(*next)] : '-';
      EXPECT_EQ(letter, rows[state][event]) << state << " " << event;
    }
  }
}

}  // namespace
}  // namespace apollo
