#include "expert_worker/expert_metrics.h"

#include <string>
#include <utility>

#include "serving/single_metrics.h"

namespace apollo {
ExpertMetrics::ExpertMetrics(prometheus::Registry& registry,
                             const ModelConfig& config, LanguageLabels labels,
                             RequestMetrics* requests, const Clock& clock)
    : requests_(requests),
      clock_(clock),
      boundary_(config.boundary),
      num_sparse_(config.num_sparse_layers()),
      experts_(config.num_experts),
      batches_(AddCounter(registry, "apollo_expert_batches_total",
                          "Batches through the sparse layers.")),
      rows_(AddCounter(registry, "apollo_expert_rows_total",
                       "Rows through the sparse layers.")),
      rows_sent_(AddCounter(registry, "apollo_expert_rows_sent_total",
                            "Rows computed by an expert on another worker.")),
      rows_served_(AddCounter(registry, "apollo_expert_rows_served_total",
                              "Rows computed here for other workers.")),
      sequences_(AddCounter(registry, "apollo_expert_sequences_total",
                            "Sequences opened.")),
      preemptions_(
          AddCounter(registry, "apollo_num_expert_preemptions_total",
                     "Times that a sequence lost its blocks to an older one.")),
      running_(
          prometheus::BuildGauge()
              .Name("apollo_num_expert_sequences_running")
              .Help("Sequences that hold cache blocks of the sparse layers.")
              .Register(registry)
              .Add({})),
      use_(
          prometheus::BuildCounter()
              .Name("apollo_expert_tokens_total")
              .Help("Tokens that used an expert, by sparse layer and language.")
              .Register(registry)),
      family_(prometheus::BuildCounter()
                  .Name("apollo_family_tokens_total")
                  .Help("Tokens of sequences with a language family, by sparse "
                        "layer and language.")
                  .Register(registry)),
      off_family_(
          prometheus::BuildCounter()
              .Name("apollo_off_family_tokens_total")
              .Help("Of apollo_family_tokens_total, tokens for which the "
                    "gate did not choose the family's expert.")
              .Register(registry)),
      labels_(std::move(labels)),
      layers_(static_cast<std::size_t>(labels_.size()) * num_sparse_) {}

ExpertMetrics::Layer ExpertMetrics::AddLayer(int layer,
                                             const std::string& language) {
  const std::string number = std::to_string(layer);
  Layer counters;
  for (int expert = 0; expert < experts_; ++expert) {
    counters.use.push_back(&use_.Add({{"layer", number},
                                      {"expert", std::to_string(expert)},
                                      {"language", language}}));
  }
  counters.family = &family_.Add({{"layer", number}, {"language", language}});
  counters.off_family =
      &off_family_.Add({{"layer", number}, {"language", language}});
  return counters;
}

void ExpertMetrics::OnBatch(int rows) {
  batches_.Increment();
  rows_.Increment(rows);
}

void ExpertMetrics::OnRouted(const RoutedRows& rows) {
  const int language = labels_.Index(rows.language);
  Layer& layer = layers_[static_cast<std::size_t>(language) * num_sparse_ +
                         (rows.layer - boundary_)];
  if (layer.use.empty()) layer = AddLayer(rows.layer, labels_.name(language));
  for (int e = 0; e < experts_; ++e) {
    if (rows.by_expert[e] > 0) layer.use[e]->Increment(rows.by_expert[e]);
  }
  if (!rows.has_family) return;
  layer.family->Increment(rows.rows);
  layer.off_family->Increment(rows.off_family);
}

void ExpertMetrics::OnRowsSent(int rows) { rows_sent_.Increment(rows); }
void ExpertMetrics::OnRowsServed(int rows) { rows_served_.Increment(rows); }

void ExpertMetrics::OnPreemption() { preemptions_.Increment(); }

void ExpertMetrics::OnOpened(std::uint64_t sequence, int prompt_tokens) {
  sequences_.Increment();
  running_.Increment();
  if (requests_ == nullptr) return;
  const auto [it, added] =
      open_.try_emplace(sequence, *requests_, "Sequence", clock_.Now());
  if (added) it->second.PromptTokens(prompt_tokens);
}

void ExpertMetrics::OnSampled(std::uint64_t sequence) {
  const auto it = open_.find(sequence);
  if (it != open_.end()) it->second.Token(clock_.Now());
}

void ExpertMetrics::OnClosed(std::uint64_t sequence, absl::StatusCode code) {
  running_.Decrement();
  const auto it = open_.find(sequence);
  if (it == open_.end()) return;
  it->second.End(absl::StatusCodeToString(code), clock_.Now());
  open_.erase(it);
}

}  // namespace apollo
