#pragma once

#include "serving/counters.h"

namespace apollo {

// Counters of a router's choices of dense workers.
struct PoolCounters {
  // Sequences for which the chosen worker was known to have a beginning of the
  // prompt in its cache, and others.
  Count by_prefix, by_load;
  Count prompt_tokens;  // Of all of these.
  // The part of `prompt_tokens` that the chosen worker was known to have.
  Count prefix_tokens;
  // Dense workers: in the list; those that can take sequences; of these, those
  // that give no sign of life.
  Level listed_workers, live_workers, silent_workers;
};

inline constexpr MetricRow<PoolCounters> kPoolMetrics[] = {
    {"apollo_routed_sequences_total",
     "Sequences given to dense workers, by whether the worker was known to "
     "have "
     "a beginning of the prompt in its cache.",
     &PoolCounters::by_prefix, "choice", "prefix"},
    {"apollo_routed_sequences_total",
     "Sequences given to dense workers, by whether the worker was known to "
     "have "
     "a beginning of the prompt in its cache.",
     &PoolCounters::by_load, "choice", "load"},
    {"apollo_routed_prompt_tokens_total",
     "Prompt tokens of the sequences given to dense workers.",
     &PoolCounters::prompt_tokens},
    {"apollo_routed_prefix_tokens_total",
     "Prompt tokens that the dense worker was known to have in its cache.",
     &PoolCounters::prefix_tokens},
    {"apollo_num_dense_workers_listed", "Dense workers in the list of workers.",
     &PoolCounters::listed_workers},
    {"apollo_num_dense_workers_live", "Dense workers that can take sequences.",
     &PoolCounters::live_workers},
    {"apollo_num_dense_workers_silent",
     "Dense workers that could take sequences, but give no sign of life.",
     &PoolCounters::silent_workers},
};

}  // namespace apollo
