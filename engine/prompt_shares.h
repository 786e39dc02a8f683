#pragma once

#include <span>
#include <vector>

namespace apollo {

// The remainder of a prompt that is being prefilled.
struct PromptLeft {
  int lowness = 0;  // Negated priority.
  int rows = 0;     // At least one.
};

// Divides the B prompt rows of a step (`budget`) among prompts, so that no
// prompt waits for a much longer one. `prompts` must be in rank order, hence by
// falling priority. Returns the number of rows for each.
//
// A priority level gets the rows that higher levels leave. Within a level:
// - The first prompt in rank gets half of the rows, and all rows that no other
//   prompt may take.
// - The other half goes to prompts with at most half as many rows left as the
//   first, shortest first.
// - When the first prompt has all the rows it needs, the next one takes its
//   place with the remaining rows.
//
// `best_gets_odd_row` assigns the odd row of an odd number to the first prompt.
// Callers alternate it to keep the halves equal.
//
// Among prompts of one priority, a prompt of n rows is complete within either
// bound, up to two steps of rounding:
// - 2 (R + n) / B steps, if the prompts of better rank have R rows in all: at
//   most twice the time of strict order.
// - 2 n (2 k + 1) / B steps, if k other prompts have a better rank or are
//   shorter, whatever the length of the long ones.
//
// Prompts of similar length run in strict order, one after the other: sharing
// would delay the first ones and speed up none.
std::vector<int> SharePromptRows(std::span<const PromptLeft> prompts,
                                 int budget, bool best_gets_odd_row);

}  // namespace apollo
