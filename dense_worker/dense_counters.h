#pragma once

#include "serving/buckets.h"
#include "serving/counters.h"
#include "serving/metric_spec.h"

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
  // Moves that ended with the next token, the seconds of their phases, and of
  // all phases together by cause; see MoveLog.
  Count moves_continued;
  Distribution move_choice{kPauseSeconds}, move_replay{kPauseSeconds},
      move_token{kPauseSeconds};
  Distribution pause_lost{kPauseSeconds}, pause_silent{kPauseSeconds},
      pause_hand_over{kPauseSeconds}, pause_failed{kPauseSeconds};
  // Sequences with a family, when they start: on a worker that has the family's
  // expert in memory, and elsewhere.
  Count placed_resident, placed_elsewhere;
  Fraction cache_usage;  // Of the blocks.
  // Of a step: the seconds in the stage, and its rows.
  Distribution step_seconds{kStepSeconds}, step_rows{kRows};
  // From the sending of a step to the answer of an expert worker.
  Distribution answer_seconds{kStepSeconds};
  // Expert workers: linked ones; those that accept sequences; those that owe
  // answers and give no sign of life.
  Level linked_workers, ready_workers, silent_workers;
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
     "Rows of running sequences that were sent again from the cache: after a "
     "move, or because their expert worker did not hold what was believed.",
     &DenseCounters::rows_replayed},
    {"apollo_sequence_moves_continued_total",
     "Moves of sequences that ended with the next token.",
     &DenseCounters::moves_continued},
    {"apollo_sequence_move_seconds",
     "Time of a phase of a move: to the choice of a worker, to the last "
     "replayed row, to the next token.",
     &DenseCounters::move_choice, "phase", "choice"},
    {"apollo_sequence_move_seconds",
     "Time of a phase of a move: to the choice of a worker, to the last "
     "replayed row, to the next token.",
     &DenseCounters::move_replay, "phase", "replay"},
    {"apollo_sequence_move_seconds",
     "Time of a phase of a move: to the choice of a worker, to the last "
     "replayed row, to the next token.",
     &DenseCounters::move_token, "phase", "token"},
    {"apollo_sequence_pause_seconds",
     "Time from the notice of the cause of a move to the next token.",
     &DenseCounters::pause_lost, "cause", "lost"},
    {"apollo_sequence_pause_seconds",
     "Time from the notice of the cause of a move to the next token.",
     &DenseCounters::pause_silent, "cause", "silent"},
    {"apollo_sequence_pause_seconds",
     "Time from the notice of the cause of a move to the next token.",
     &DenseCounters::pause_hand_over, "cause", "hand_over"},
    {"apollo_sequence_pause_seconds",
     "Time from the notice of the cause of a move to the next token.",
     &DenseCounters::pause_failed, "cause", "failed"},
    {"apollo_placed_sequences_total",
     "Sequences with a language family, by whether their expert worker has its "
     "expert in memory.",
     &DenseCounters::placed_resident, "where", "resident"},
    {"apollo_placed_sequences_total",
     "Sequences with a language family, by whether their expert worker has its "
     "expert in memory.",
     &DenseCounters::placed_elsewhere, "where", "elsewhere"},
    {"apollo_kv_cache_usage_perc",
     "Part of the cache blocks in use, from 0 to 1.",
     &DenseCounters::cache_usage},
    {"apollo_dense_step_seconds", "Time of a step in the dense layers.",
     &DenseCounters::step_seconds},
    {"apollo_dense_step_rows", "Rows of a step that the dense layers compute.",
     &DenseCounters::step_rows},
    {"apollo_expert_answer_seconds",
     "Time from the sending of a step to the answer of an expert worker.",
     &DenseCounters::answer_seconds},
    {"apollo_num_expert_workers_linked", "Expert workers with a link.",
     &DenseCounters::linked_workers},
    {"apollo_num_expert_workers_ready",
     "Linked expert workers that accept sequences.",
     &DenseCounters::ready_workers},
    {"apollo_num_expert_workers_silent",
     "Linked expert workers that give no sign of life.",
     &DenseCounters::silent_workers},
};

// The constants of the cache.
inline constexpr MetricSpec kDenseCacheConfig = {
    "apollo_cache_config_info", MetricKind::kGauge,
    "Always 1; the labels tell the tokens of a cache block and the number of "
    "blocks.",
    "block_size,num_blocks"};

}  // namespace apollo
