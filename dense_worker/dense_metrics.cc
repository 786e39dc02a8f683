#include "dense_worker/dense_metrics.h"

#include "serving/single_metrics.h"

namespace apollo {
DenseMetrics::DenseMetrics(prometheus::Registry& registry, RoutingLog& routing)
    : routing_(routing),
      steps_(AddCounter(registry, "apollo_dense_steps_total",
                        "Passes of a batch through the dense layers.")),
      decode_rows_(prometheus::BuildCounter()
                       .Name("apollo_dense_rows_total")
                       .Help("Rows through the dense layers, by kind.")
                       .Register(registry)
                       .Add({{"kind", "decode"}})),
      prompt_rows_(prometheus::BuildCounter()
                       .Name("apollo_dense_rows_total")
                       .Help("Rows through the dense layers, by kind.")
                       .Register(registry)
                       .Add({{"kind", "prompt"}})),
      prefix_queries_(AddCounter(registry, "apollo_prefix_cache_queries_total",
                                 "Prompt tokens looked for in the cache.")),
      prefix_hits_(AddCounter(registry, "apollo_prefix_cache_hits_total",
                              "Prompt tokens found in the cache.")),
      preemptions_(AddCounter(
          registry, "apollo_num_preemptions_total",
          "Times that a sequence lost its cache blocks and was fed again.")),
      running_(AddGauge(registry, "apollo_num_sequences_running",
                        "Sequences that hold cache blocks.")),
      waiting_(AddGauge(registry, "apollo_num_requests_waiting",
                        "Sequences that wait for cache blocks.")),
      used_blocks_(AddGauge(registry, "apollo_cache_blocks_used",
                            "Cache blocks in use.")),
      blocks_(AddGauge(registry, "apollo_cache_blocks",
                       "Cache blocks there are.")) {}

void DenseMetrics::OnStep(int decode_rows, int prompt_rows) {
  steps_.Increment();
  decode_rows_.Increment(decode_rows);
  prompt_rows_.Increment(prompt_rows);
}

void DenseMetrics::OnSequences(int running, int waiting) {
  running_.Set(running);
  waiting_.Set(waiting);
}

void DenseMetrics::OnCache(int used_blocks, int blocks) {
  used_blocks_.Set(used_blocks);
  blocks_.Set(blocks);
}

void DenseMetrics::OnRouted(const RoutedTokens& tokens) {
  routing_.Add(tokens);
}
void DenseMetrics::OnPrefix(int tokens, int cached_tokens) {
  prefix_queries_.Increment(tokens);
  prefix_hits_.Increment(cached_tokens);
}

void DenseMetrics::OnPreemption() { preemptions_.Increment(); }

}  // namespace apollo
