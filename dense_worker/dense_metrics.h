#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "dense_worker/observer.h"
#include "dense_worker/routing_log.h"

namespace apollo {

// A dense worker's own numbers: steps, rows, sequences and cache blocks. How
// tokens were routed goes into a RoutingLog; as metrics, expert workers publish
// it.
class DenseMetrics final : public DenseObserver {
 public:
  // Both must outlive this.
  DenseMetrics(prometheus::Registry& registry, RoutingLog& routing);
  void OnStep(int decode_rows, int prompt_rows) override;
  void OnSequences(int running, int waiting) override;
  void OnCache(int used_blocks, int blocks) override;
  void OnRouted(const RoutedTokens& tokens) override;
  void OnPrefix(int tokens, int cached_tokens) override;
  void OnPreemption() override;

 private:
  RoutingLog& routing_;
  prometheus::Counter& steps_;
  prometheus::Counter& decode_rows_;
  prometheus::Counter& prompt_rows_;
  prometheus::Counter& prefix_queries_;
  prometheus::Counter& prefix_hits_;
  prometheus::Counter& preemptions_;
  prometheus::Gauge& running_;
  prometheus::Gauge& waiting_;
  prometheus::Gauge& used_blocks_;
  prometheus::Gauge& blocks_;
};

}  // namespace apollo
