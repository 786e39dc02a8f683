#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <string>
#include <vector>

#include "expert_worker/observer.h"
#include "model/config/model_config.h"
#include "model/language/language_labels.h"

namespace apollo {

// An expert worker's own numbers: batches, rows, sequences, and how tokens were
// routed, by sparse layer, expert and language. A language's counters appear with
// its first token; there are at most as many as there are labels.
class ExpertMetrics final : public ExpertObserver {
 public:
  ExpertMetrics(prometheus::Registry& registry, const ModelConfig& config,
                LanguageLabels labels);
  void OnBatch(int rows) override;
  void OnRouted(const RoutedRows& rows) override;
  void OnRowsSent(int rows) override;
  void OnRowsServed(int rows) override;
  void OnSequences(int opened, int closed) override;
  void OnPreemption() override;

 private:
  struct Layer {
    std::vector<prometheus::Counter*> use;  // [experts]
    prometheus::Counter* family = nullptr;
    prometheus::Counter* off_family = nullptr;
  };
  Layer AddLayer(int layer, const std::string& language);

  const int boundary_;
  const int num_sparse_;
  const int experts_;
  prometheus::Counter& batches_;
  prometheus::Counter& rows_;
  prometheus::Counter& rows_sent_;
  prometheus::Counter& rows_served_;
  prometheus::Counter& sequences_;
  prometheus::Counter& preemptions_;
  prometheus::Gauge& running_;
  prometheus::Family<prometheus::Counter>& use_;
  prometheus::Family<prometheus::Counter>& family_;
  prometheus::Family<prometheus::Counter>& off_family_;
  const LanguageLabels labels_;
  std::vector<Layer> layers_;  // [languages, sparse layers]; empty until used.
};

}  // namespace apollo
