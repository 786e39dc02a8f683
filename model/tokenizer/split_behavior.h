#pragma once

namespace apollo {

// The treatment of the matches of a pattern that splits a text, as named by
// "Split" in tokenizer.json.
enum class SplitBehavior {
  kIsolated,            // Each is a piece of its own.
  kRemoved,             // They are not part of the text.
  kMergedWithPrevious,  // Each ends the piece before it.
  kMergedWithNext,      // Each begins the piece after it.
  kContiguous,          // Adjacent ones are one piece.
};

}  // namespace apollo
