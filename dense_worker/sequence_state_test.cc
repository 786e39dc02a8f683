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
      "f-----wo",  // Waiting.
      "-a-wh-fo",  // Feeding.
      "--fwh-fo",  // Awaiting.
      "-----wwo",  // Held.
      "--------",  // Over.
  };
  for (int state = 0; state < 5; ++state) {
    for (int event = 0; event < 8; ++event) {
      const auto next = NextState(static_cast<SequenceState>(state),
                                  static_cast<SequenceEvent>(event));
      const char letter = next ? letters[static_cast<int>(*next)] : '-';
      EXPECT_EQ(letter, rows[state][event]) << state << " " << event;
    }
  }
}

}  // namespace
}  // namespace apollo
