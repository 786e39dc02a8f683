#include "expert_worker/expert_metrics.h"

#include <string>

namespace apollo {
namespace {

prometheus::Counter& AddCounter(prometheus::Registry& registry,
                                const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(
      {});
}

}  // namespace

ExpertMetrics::ExpertMetrics(prometheus::Registry& registry,
                             const ModelConfig& config)
    : boundary_(config.boundary),
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
      running_(prometheus::BuildGauge()
                   .Name("apollo_num_expert_sequences_running")
                   .Help("Sequences that hold cache blocks of the sparse layers.")
                   .Register(registry)
                   .Add({})) {
  auto& family = prometheus::BuildCounter()
                     .Name("apollo_expert_tokens_total")
                     .Help("Tokens that used an expert, by sparse layer.")
                     .Register(registry);
  for (int layer = boundary_; layer < config.num_layers; ++layer) {
    for (int expert = 0; expert < experts_; ++expert) {
      use_.push_back(&family.Add({{"layer", std::to_string(layer)},
                                  {"expert", std::to_string(expert)}}));
    }
  }
}

void ExpertMetrics::OnBatch(int rows) {
  batches_.Increment();
  rows_.Increment(rows);
}

void ExpertMetrics::OnExpertUse(int layer, int expert, std::uint64_t rows) {
  use_[static_cast<std::size_t>(layer - boundary_) * experts_ + expert]
      ->Increment(static_cast<double>(rows));
}

void ExpertMetrics::OnRowsSent(int rows) { rows_sent_.Increment(rows); }
void ExpertMetrics::OnRowsServed(int rows) { rows_served_.Increment(rows); }

void ExpertMetrics::OnSequences(int opened, int closed) {
  sequences_.Increment(opened);
  running_.Increment(opened - closed);
}

}  // namespace apollo
