#pragma once

#include <string>
#include <vector>

#include "model/config/model_config.h"
#include "model/language/language_labels.h"
#include "serving/buckets.h"
#include "serving/counters.h"
#include "serving/metric_spec.h"

namespace apollo {

// Counters of an expert worker's own work. Routing is counted by language,
// numbered as in LanguageLabels, and sparse layer, numbered from 0.
struct ExpertCounters {
  // Has no routing counters.
  ExpertCounters() = default;
  ExpertCounters(const ModelConfig& config, const LanguageLabels& languages);

  Count batches, batches_split;
  Count rows;                    // Rows of batches.
  Count rows_sent, rows_served;  // Computed by, and for, other workers.
  Count rows_resent;             // Of rows_sent, to another after the first.
  Count rows_on_standby;         // Waited for an expert to come.
  Count sequences;               // Opened.
  Level running;                 // Sequences that are open.
  Count preemptions;
  // Prompt tokens of sequences whose blocks are kept; those that they began
  // behind; and the times that these were not here.
  Count prefix_queries, prefix_hits, prefix_misses;
  Level resident_experts, standby_experts;  // Over all layers.
  Level standby_bytes;
  Count expert_loads, expert_load_bytes;
  Distribution load_seconds{kPauseSeconds};
  Count standby_evictions;
  Count moves;                   // Of residents, in and out.
  CountTable rows_away;          // [layer]: by expert.
  CountTable expert_tokens;      // [language, layer]: by expert.
  CountTable family_tokens;      // [language, layer]; 0 without a family.
  CountTable off_family_tokens;  // See LayerUse::off_family_tokens.
  LevelTable resident_layers;    // By expert.
  // Of a batch: the seconds from its first layer to its answers, and its rows.
  Distribution batch_seconds{kStepSeconds}, batch_rows{kRows};
  Level waiting_rows;  // Of steps that wait for a batch, and of guests.
  Level used_blocks, blocks;
  Fraction cache_usage;  // Of the blocks.
};

inline constexpr MetricRow<ExpertCounters> kExpertMetrics[] = {
    {"apollo_expert_batches_total", "Batches through the sparse layers.",
     &ExpertCounters::batches},
    {"apollo_expert_batches_split_total",
     "Times that the sequences of a batch that waited for a late peer were "
     "split off, so that the others went on.",
     &ExpertCounters::batches_split},
    {"apollo_expert_rows_total", "Rows through the sparse layers.",
     &ExpertCounters::rows},
    {"apollo_expert_rows_sent_total",
     "Rows computed by an expert on another worker.",
     &ExpertCounters::rows_sent},
    {"apollo_expert_rows_served_total", "Rows computed here for other workers.",
     &ExpertCounters::rows_served},
    {"apollo_expert_rows_resent_total",
     "Of apollo_expert_rows_sent_total, rows sent again because a worker was "
     "lost, silent or without the expert.",
     &ExpertCounters::rows_resent},
    {"apollo_expert_rows_on_standby_total",
     "Rows computed here by an expert that had to come into memory first.",
     &ExpertCounters::rows_on_standby},
    {"apollo_expert_rows_away_total",
     "Rows sent to other workers, by sparse layer and expert (which is the "
     "language family).",
     &ExpertCounters::rows_away},
    {"apollo_num_experts_resident",
     "Experts that stay in memory, over all sparse layers.",
     &ExpertCounters::resident_experts},
    {"apollo_num_experts_on_standby",
     "Experts in memory because rows needed them lately, over all sparse "
     "layers.",
     &ExpertCounters::standby_experts},
    {"apollo_expert_standby_bytes",
     "Bytes of weights of experts on standby, those being loaded included.",
     &ExpertCounters::standby_bytes},
    {"apollo_expert_loads_total", "Experts of a layer loaded after the start.",
     &ExpertCounters::expert_loads},
    {"apollo_expert_load_bytes_total",
     "Bytes of weights of experts loaded after the start.",
     &ExpertCounters::expert_load_bytes},
    {"apollo_expert_load_seconds",
     "Time from the beginning of a load to the engine's notice of its end.",
     &ExpertCounters::load_seconds},
    {"apollo_expert_standby_evictions_total",
     "Experts of a layer that left standby: unused, or for others.",
     &ExpertCounters::standby_evictions},
    {"apollo_expert_moves_total",
     "Experts of a layer that became resident, or ceased to be, after the "
     "start.",
     &ExpertCounters::moves},
    {"apollo_expert_sequences_total", "Sequences opened.",
     &ExpertCounters::sequences},
    {"apollo_num_expert_sequences_running",
     "Sequences that hold cache blocks of the sparse layers.",
     &ExpertCounters::running},
    {"apollo_num_expert_preemptions_total",
     "Times that a sequence lost its blocks to an older one.",
     &ExpertCounters::preemptions},
    {"apollo_expert_prefix_cache_queries_total",
     "Prompt tokens of opened sequences whose blocks of the sparse layers are "
     "kept.",
     &ExpertCounters::prefix_queries},
    {"apollo_expert_prefix_cache_hits_total",
     "Tokens that opened sequences began behind: their rows were in the cache, "
     "and neither sent nor computed again.",
     &ExpertCounters::prefix_hits},
    {"apollo_expert_prefix_cache_misses_total",
     "Times that a sequence was to begin behind tokens that were not in the "
     "cache any more, and had to begin again.",
     &ExpertCounters::prefix_misses},
    {"apollo_expert_tokens_total",
     "Tokens that used an expert, by sparse layer and language.",
     &ExpertCounters::expert_tokens},
    {"apollo_family_tokens_total",
     "Tokens of sequences with a language family, by sparse layer and "
     "language.",
     &ExpertCounters::family_tokens},
    {"apollo_off_family_tokens_total",
     "Tokens of apollo_family_tokens_total for which the gate did not choose "
     "the family's expert.",
     &ExpertCounters::off_family_tokens},
    {"apollo_expert_resident_layers",
     "Sparse layers whose expert stays in memory here, by expert (which is the "
     "language family).",
     &ExpertCounters::resident_layers},
    {"apollo_expert_batch_seconds",
     "Time of a batch from its first sparse layer to its answers, waits for "
     "other workers included.",
     &ExpertCounters::batch_seconds},
    {"apollo_expert_batch_rows", "Rows of a batch.",
     &ExpertCounters::batch_rows},
    {"apollo_num_expert_rows_waiting",
     "Rows that wait for a batch, and rows of other workers that wait to be "
     "computed here.",
     &ExpertCounters::waiting_rows},
    {"apollo_expert_cache_blocks_used",
     "Cache blocks of the sparse layers in use.", &ExpertCounters::used_blocks},
    {"apollo_expert_cache_blocks",
     "Cache blocks of the sparse layers in total.", &ExpertCounters::blocks},
    {"apollo_expert_kv_cache_usage_perc",
     "Part of the cache blocks of the sparse layers in use, from 0 to 1.",
     &ExpertCounters::cache_usage},
};

// The constants of the cache of the sparse layers.
inline constexpr MetricSpec kExpertCacheConfig = {
    "apollo_expert_cache_config_info", MetricKind::kGauge,
    "Always 1; the labels tell the tokens of a cache block of the sparse "
    "layers and the number of blocks.",
    "block_size,num_blocks"};

inline ExpertCounters::ExpertCounters(const ModelConfig& config,
                                      const LanguageLabels& languages) {
  CountTable::Axis language{"language", {}}, layer{"layer", {}},
      expert{"expert", {}};
  for (int i = 0; i < languages.size(); ++i) {
    language.values.push_back(languages.name(i));
  }
  for (int l = config.boundary; l < config.num_layers; ++l) {
    layer.values.push_back(std::to_string(l));
  }
  for (int e = 0; e < config.num_experts; ++e) {
    expert.values.push_back(std::to_string(e));
  }
  const std::vector<CountTable::Axis> rows = {language, layer};
  expert_tokens = CountTable(rows, expert);
  family_tokens = CountTable(rows);
  off_family_tokens = CountTable(rows);
  rows_away = CountTable({layer}, expert);
  resident_layers = LevelTable(expert);
}

}  // namespace apollo
