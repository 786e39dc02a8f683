#include "engine/cuda/expert_use.h"

#include "common/check.h"

namespace apollo::cuda {

void CountUse(const RoutingLog& log, const CountedRows& counted,
              SliceOutcome& outcome) {
  APOLLO_CHECK(counted.layers <= log.layers &&
               counted.first_row + counted.rows <= log.rows);
  outcome.layers = counted.layers;
  outcome.expert_use.assign(static_cast<std::size_t>(log.layers) * log.experts,
                            0);
  outcome.off_family.assign(log.layers, 0);
  outcome.use_by_block = UnusedBlocks(counted.first_position, counted.rows,
                                      log.layers, log.experts);
  const int before = counted.first_position / kBlockTokens;
  for (int layer = 0; layer < counted.layers; ++layer) {
    const std::size_t first = static_cast<std::size_t>(layer) * log.experts;
    const std::int32_t* const choices = log.choices + layer * log.choice_stride;
    const std::uint8_t* const replaced = log.replaced + layer * log.row_stride;
    for (int r = counted.first_row; r < counted.first_row + counted.rows; ++r) {
      const int position = counted.first_position + r - counted.first_row;
      BlockUse& block = outcome.use_by_block[position / kBlockTokens - before];
      bool has_family_expert = false;
      for (int j = 0; j < log.top_k; ++j) {
        const std::int32_t expert =
            choices[static_cast<std::size_t>(r) * log.top_k + j];
        ++outcome.expert_use[first + expert];
        ++block.by_expert[first + expert];
        has_family_expert = has_family_expert || expert == counted.family;
      }
      // A pinned expert that replaced another was not the gate's choice.
      if (counted.family >= 0 && (!has_family_expert || replaced[r] != 0)) {
        ++outcome.off_family[layer];
        ++block.off_family[layer];
      }
    }
  }
}

}  // namespace apollo::cuda
