#pragma once

#include <span>
#include <vector>

namespace apollo {

// A prompt of which rows are left to run.
struct PromptLeft {
  int lowness = 0;  // The negative priority.
  int rows = 0;     // At least one.
};

// Shares the rows of prompts in one step, B of them, so that no prompt waits
// for a much longer one. Returns the rows that each of `prompts` gets now,
// which are in the order of rank, so by falling priority first.
//
// A priority gets what better ones leave. Within it, the first in rank gets
// half of the rows, and whatever nobody else may take. The other half is for
// prompts that have at most half as many rows left as the first, the shortest
// before all others. When the first has all it needs, the next one takes its
// place, with the rows that are left. `best_gets_odd_row` says to whom the odd
// row of an odd number goes; whoever alternates it keeps the halves equal.
//
// For prompts of one priority this gives two bounds, up to two steps for
// rounding, on the steps in which a prompt of n rows is through:
// - 2 (R + n) / B, if the prompts of better rank have R rows in all: at most
//   twice the time of strict order;
// - 2 n (2 k + 1) / B, if k other prompts are of better rank or shorter: the
//   length of a long one does not count.
// Prompts of about one length run in strict order, one after the other: then
// sharing would make the first ones later and none sooner.
std::vector<int> SharePromptRows(std::span<const PromptLeft> prompts,
                                 int budget, bool best_gets_odd_row);

}  // namespace apollo
