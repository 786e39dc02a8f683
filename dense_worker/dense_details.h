#pragma once

#include "dense_worker/dense_counters.h"
#include "link/worker_details.h"

namespace apollo {

// Returns the details of a dense worker that its counters know; the caller adds
// the others. Any thread.
inline WorkerDetails DetailsOf(const DenseCounters& counters) {
  return {.cache_blocks = counters.blocks,
          .cache_blocks_used = counters.used_blocks,
          .waiting_sequences = static_cast<int>(counters.waiting),
          .rows_computed = counters.decode_rows + counters.prompt_rows};
}

}  // namespace apollo
