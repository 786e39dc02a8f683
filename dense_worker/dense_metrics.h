#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "dense_worker/observer.h"

namespace apollo {

// A dense worker's own numbers: steps, rows, sequences and cache blocks.
class DenseMetrics final : public DenseObserver {
 public:
  explicit DenseMetrics(prometheus::Registry& registry);
  void OnStep(int decode_rows, int prompt_rows) override;
  void OnSequences(int running, int waiting) override;
  void OnCache(int used_blocks, int blocks) override;

 private:
  prometheus::Counter& steps_;
  prometheus::Counter& decode_rows_;
  prometheus::Counter& prompt_rows_;
  prometheus::Gauge& running_;
  prometheus::Gauge& waiting_;
  prometheus::Gauge& used_blocks_;
  prometheus::Gauge& blocks_;
};

}  // namespace apollo
