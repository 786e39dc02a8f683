#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// The division of a step's attention into tasks, on the host. Needs no CUDA.
//
// A *pair* is a row of a slice and one of the `group` query heads that share a
// kv head: pair p is row p / group, head p % group of each kv head. The keys
// are divided into splits of kSplitTokens positions. Each split is computed for
// a tile of 16 pairs, block by block in rising order, and the splits of a pair
// are merged in rising order. Both kinds of tasks follow this order, so the
// choice between them changes no bit:
// - a *split task* computes one split for one tile, and leaves the result in
//   the workspace, where a merge task finds it. This fills the GPU with few
//   rows and long contexts.
// - a *direct task* computes all splits for up to 128 pairs. This suits
//   prefill: the keys are read once for all pairs, and nothing is written but
//   the result.
namespace apollo::cuda {

inline constexpr int kSplitTokens = 128;
inline constexpr int kTilePairs = 16;
inline constexpr int kDirectPairs = 128;

// Consecutive rows of one sequence.
struct AttentionSlice {
  int first_row = 0;       // In the batch.
  int rows = 0;            // At least 1.
  int first_position = 0;  // Of the first row; all keys up to the last row's
                           // position are in the cache.
  int table = 0;           // Index of the sequence's first block in the array
                           // of block tables.
};

// A task in device memory: pairs [first_pair, first_pair + pairs) of a slice.
struct AttentionTask {
  std::int32_t first_row = 0;
  std::int32_t first_position = 0;
  std::int32_t table = 0;
  std::int32_t first_pair = 0;
  std::int32_t pairs = 0;
  std::int32_t split = 0;  // Of a split task; of a merge task: their number.
  std::int32_t slot = 0;   // Of the workspace; of a merge task: the first.
  std::int32_t reserved = 0;
};

struct AttentionPlan {
  std::vector<AttentionTask> direct;
  std::vector<AttentionTask> split;
  std::vector<AttentionTask> merge;
  int slots = 0;  // Used slots of the workspace.

  // All tasks in one array, to be copied to the device: direct, split, merge.
  std::size_t size() const {
    return direct.size() + split.size() + merge.size();
  }
  void CopyTo(AttentionTask* tasks) const;
};

// Plans the attention of a step with `group` query heads per kv head and a
// workspace of `max_slots` slots (0: direct tasks only).
AttentionPlan PlanAttention(std::span<const AttentionSlice> slices, int group,
                            int max_slots);

}  // namespace apollo::cuda
