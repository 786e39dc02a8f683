#pragma once

#include <string>
#include <vector>

#include "model/config/model_config.h"
#include "model/language/language_labels.h"
#include "serving/counters.h"

namespace apollo {

// Counters of an expert worker's own work. Routing is counted by language,
// numbered as in LanguageLabels, and sparse layer, numbered from 0.
struct ExpertCounters {
  // Has no routing counters.
  ExpertCounters() = default;
  ExpertCounters(const ModelConfig& config, const LanguageLabels& languages);

  Count batches;
  Count rows;                    // Rows of batches.
  Count rows_sent, rows_served;  // Computed by, and for, other workers.
  Count sequences;               // Opened.
  Level running;                 // Sequences that are open.
  Count preemptions;
  CountTable expert_tokens;      // [language, layer]: by expert.
  CountTable family_tokens;      // [language, layer]; 0 without a family.
  CountTable off_family_tokens;  // See LayerUse::off_family_tokens.
};

inline constexpr MetricRow<ExpertCounters> kExpertMetrics[] = {
    {"apollo_expert_batches_total", "Batches through the sparse layers.",
     &ExpertCounters::batches},
    {"apollo_expert_rows_total", "Rows through the sparse layers.",
     &ExpertCounters::rows},
    {"apollo_expert_rows_sent_total",
     "Rows computed by an expert on another worker.",
     &ExpertCounters::rows_sent},
    {"apollo_expert_rows_served_total", "Rows computed here for other workers.",
     &ExpertCounters::rows_served},
    {"apollo_expert_sequences_total", "Sequences opened.",
     &ExpertCounters::sequences},
    {"apollo_num_expert_sequences_running",
     "Sequences that hold cache blocks of the sparse layers.",
     &ExpertCounters::running},
    {"apollo_num_expert_preemptions_total",
     "Times that a sequence lost its blocks to an older one.",
     &ExpertCounters::preemptions},
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
};

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
}

}  // namespace apollo
