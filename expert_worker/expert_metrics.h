#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/clock.h"
#include "expert_worker/observer.h"
#include "model/config/model_config.h"
#include "model/language/language_labels.h"
#include "serving/metrics.h"

namespace apollo {

// An expert worker's own numbers: batches, rows, sequences, and how tokens were
// routed, by sparse layer, expert and language. A language's counters appear
// with its first token; there are at most as many as there are labels.
class ExpertMetrics final : public ExpertObserver {
 public:
  // What every process counts of requests, an expert worker counts of the
  // sequences that it serves: into `requests`, unless null. All must outlive
  // this.
  ExpertMetrics(prometheus::Registry& registry, const ModelConfig& config,
                LanguageLabels labels, RequestMetrics* requests,
                const Clock& clock);
  void OnBatch(int rows) override;
  void OnRouted(const RoutedRows& rows) override;
  void OnRowsSent(int rows) override;
  void OnRowsServed(int rows) override;
  void OnOpened(std::uint64_t sequence, int prompt_tokens) override;
  void OnSampled(std::uint64_t sequence) override;
  void OnClosed(std::uint64_t sequence, absl::StatusCode code) override;
  void OnPreemption() override;

 private:
  struct Layer {
    std::vector<prometheus::Counter*> use;  // [experts]
    prometheus::Counter* family = nullptr;
    prometheus::Counter* off_family = nullptr;
  };
  Layer AddLayer(int layer, const std::string& language);

  RequestMetrics* const requests_;
  const Clock& clock_;
  std::map<std::uint64_t, RequestMetrics::Request>
      open_;  // If there are requests_.
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
