#pragma once

#include "serving/counters.h"

namespace apollo {

// Counters of a dense worker's own work. The routing of tokens is counted in a
// RoutingLog, and published as metrics by expert workers.
struct DenseCounters {
  Count steps;
  // Rows of steps: the next token of a running sequence, or prompt.
  Count decode_rows, prompt_rows;
  Level running;  // Sequences.
  Level waiting;  // Sequences, for cache blocks.
  // The same by the sign of their priority.
  Level waiting_higher, waiting_normal, waiting_lower;
  Level callers;  // That have sequences, by name; unnamed ones count as one.
  Level used_blocks, blocks;
  // Prompt tokens of sequences that are admitted for the first time.
  Count prefix_queries, prefix_hits;
  Count preemptions;
  // Sequences with blocks that moved to another expert worker, by cause.
  Count moved_lost, moved_silent, moved_hand_over, moved_failed;
  Count rows_replayed;
  // Moves that ended with the next token, and the time of their phases in
  // milliseconds; see MoveLog.
  Count moves_continued;
  Count move_choice_ms, move_replay_ms, move_token_ms;
  // Sequences with a family, when they start: on a worker that has the family's
  // expert in memory, and elsewhere.
  Count placed_resident, placed_elsewhere;
};

inline constexpr MetricRow<DenseCounters> kDenseMetrics[] = {
    {"apollo_dense_steps_total", "Passes of a batch through the dense layers.",
     &DenseCounters::steps},
    {"apollo_dense_rows_total", "Rows through the dense layers, by kind.",
     &DenseCounters::decode_rows, "kind", "decode"},
    {"apollo_dense_rows_total", "Rows through the dense layers, by kind.",
     &DenseCounters::prompt_rows, "kind", "prompt"},
    {"apollo_num_sequences_running", "Sequences that hold cache blocks.",
     &DenseCounters::running},
    {"apollo_num_requests_waiting", "Sequences that wait for cache blocks.",
     &DenseCounters::waiting},
    {"apollo_waiting_sequences",
     "Sequences that wait for cache blocks, by priority: above, at and below "
     "0.",
     &DenseCounters::waiting_higher, "priority", "higher"},
    {"apollo_waiting_sequences",
     "Sequences that wait for cache blocks, by priority: above, at and below "
     "0.",
     &DenseCounters::waiting_normal, "priority", "normal"},
    {"apollo_waiting_sequences",
     "Sequences that wait for cache blocks, by priority: above, at and below "
     "0.",
     &DenseCounters::waiting_lower, "priority", "lower"},
    {"apollo_scheduler_callers",
     "Callers that have sequences; those without a name count as one.",
     &DenseCounters::callers},
    {"apollo_cache_blocks_used", "Cache blocks in use.",
     &DenseCounters::used_blocks},
    {"apollo_cache_blocks", "Cache blocks in total.", &DenseCounters::blocks},
    {"apollo_prefix_cache_queries_total",
     "Prompt tokens looked for in the cache.", &DenseCounters::prefix_queries},
    {"apollo_prefix_cache_hits_total", "Prompt tokens found in the cache.",
     &DenseCounters::prefix_hits},
    {"apollo_num_preemptions_total",
     "Times that a sequence lost its cache blocks and was computed again.",
     &DenseCounters::preemptions},
    {"apollo_sequences_moved_total",
     "Running sequences that moved to another expert worker, by cause.",
     &DenseCounters::moved_lost, "cause", "lost"},
    {"apollo_sequences_moved_total",
     "Running sequences that moved to another expert worker, by cause.",
     &DenseCounters::moved_silent, "cause", "silent"},
    {"apollo_sequences_moved_total",
     "Running sequences that moved to another expert worker, by cause.",
     &DenseCounters::moved_hand_over, "cause", "hand_over"},
    {"apollo_sequences_moved_total",
     "Running sequences that moved to another expert worker, by cause.",
     &DenseCounters::moved_failed, "cause", "failed"},
    {"apollo_rows_replayed_total",
     "Rows of moved sequences that were sent again from the cache.",
     &DenseCounters::rows_replayed},
    {"apollo_sequence_moves_continued_total",
     "Moves of sequences that ended with the next token.",
     &DenseCounters::moves_continued},
    {"apollo_sequence_move_milliseconds_total",
     "Time of these moves, by phase.", &DenseCounters::move_choice_ms, "phase",
     "choice"},
    {"apollo_sequence_move_milliseconds_total",
     "Time of these moves, by phase.", &DenseCounters::move_replay_ms, "phase",
     "replay"},
    {"apollo_sequence_move_milliseconds_total",
     "Time of these moves, by phase.", &DenseCounters::move_token_ms, "phase",
     "token"},
    {"apollo_placed_sequences_total",
     "Sequences with a language family, by whether their expert worker has its "
     "expert in memory.",
     &DenseCounters::placed_resident, "where", "resident"},
    {"apollo_placed_sequences_total",
     "Sequences with a language family, by whether their expert worker has its "
     "expert in memory.",
     &DenseCounters::placed_elsewhere, "where", "elsewhere"},
};

}  // namespace apollo
