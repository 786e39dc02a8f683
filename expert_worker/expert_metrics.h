#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <vector>

#include "expert_worker/observer.h"
#include "model/config/model_config.h"

namespace apollo {

// An expert worker's own numbers: batches, rows, sequences, and the uses of each
// expert in each sparse layer.
class ExpertMetrics final : public ExpertObserver {
 public:
  ExpertMetrics(prometheus::Registry& registry, const ModelConfig& config);
  void OnBatch(int rows) override;
  void OnExpertUse(int layer, int expert, std::uint64_t rows) override;
  void OnRowsSent(int rows) override;
  void OnRowsServed(int rows) override;
  void OnSequences(int opened, int closed) override;

 private:
  const int boundary_;
  const int experts_;
  prometheus::Counter& batches_;
  prometheus::Counter& rows_;
  prometheus::Counter& rows_sent_;
  prometheus::Counter& rows_served_;
  prometheus::Counter& sequences_;
  prometheus::Gauge& running_;
  std::vector<prometheus::Counter*> use_;  // [sparse layers, experts]
};

}  // namespace apollo
