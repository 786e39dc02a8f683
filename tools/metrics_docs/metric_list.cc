#include "tools/metrics_docs/metric_list.h"

#include <utility>

#include "common/check.h"
#include "dense_worker/dense_counters.h"
#include "expert_worker/expert_counters.h"
#include "model/language/families.h"
#include "model/language/language_labels.h"
#include "router/audit/audit_counters.h"
#include "router/failover/failover_metrics.h"
#include "router/pool_counters.h"
#include "router/session/language_metrics.h"
#include "serving/call_guard.h"
#include "serving/connection_gate.h"
#include "serving/counter_collector.h"
#include "serving/metrics.h"
#include "serving/process_metrics.h"
#include "serving/server_metrics.h"
#include "serving/trace_metrics.h"
#include "tools/metrics_docs/other_metrics.h"
#include "worker/link_counters.h"
#include "worker/path_counters.h"

namespace apollo {
namespace {

const std::set<Program> kAll = {Program::kRouter, Program::kDenseWorker,
                                Program::kExpertWorker, Program::kLocal};
const std::set<Program> kWorkers = {Program::kDenseWorker,
                                    Program::kExpertWorker};

// Adds metrics to a list by name.
class List {
 public:
  void Add(const std::vector<MetricFacts>& metrics,
           const std::set<Program>& programs) {
    for (const MetricFacts& facts : metrics) {
      const auto [it, added] =
          by_name_.try_emplace(facts.name, ListedMetric{facts, programs});
      // Two tables that publish one name would produce invalid output.
      APOLLO_CHECK(added);
    }
  }
  std::vector<ListedMetric> Take() {
    std::vector<ListedMetric> metrics;
    for (auto& [name, metric] : by_name_) metrics.push_back(std::move(metric));
    return metrics;
  }

 private:
  std::map<std::string, ListedMetric> by_name_;
};

// Returns the facts of a table of counters.
template <typename Counters, std::size_t kRows>
std::vector<MetricFacts> FactsOfTable(
    const Counters& counters, const MetricRow<Counters> (&table)[kRows]) {
  return CounterCollector(counters, table).Facts();
}

ModelConfig PublishedShape() {
  ModelConfig config;
  config.num_layers = 24;
  config.boundary = 22;
  config.num_experts = 7;
  config.experts_per_token = 2;
  return config;
}

}  // namespace

const char* NameOf(Program program) {
  switch (program) {
    case Program::kRouter:
      return "router";
    case Program::kDenseWorker:
      return "dense_worker";
    case Program::kExpertWorker:
      return "expert_worker";
    case Program::kLocal:
      return "apollo_local";
  }
  return "";
}

std::vector<ListedMetric> ListMetrics() {
  List list;
  list.Add(FactsOf(kRequestMetrics), kAll);
  list.Add(FactsOf(kConnectionMetrics), kAll);
  list.Add(FactsOf(kServerMetrics), kAll);
  list.Add(FactsOf(kProcessMetrics), kAll);
  list.Add(FactsOf(kTlsMetrics), kAll);
  list.Add(FactsOf(kGuardMetrics), kAll);
  list.Add(FactsOfTable(AuditCounters(), kAuditMetrics),
           {Program::kRouter, Program::kLocal});
  list.Add(FactsOf(kCallerMetrics), {Program::kRouter, Program::kLocal});
  list.Add(FactsOf(kLanguageMetrics), {Program::kRouter, Program::kLocal});
  list.Add(FactsOf(kFailoverMetrics), {Program::kRouter});
  list.Add(FactsOfTable(PoolCounters(), kPoolMetrics), {Program::kRouter});
  list.Add(FactsOfTable(DenseCounters(), kDenseMetrics),
           {Program::kDenseWorker, Program::kLocal});
  list.Add({FactsOf(kDenseCacheConfig)},
           {Program::kDenseWorker, Program::kLocal});
  const ExpertCounters expert(PublishedShape(),
                              LanguageLabels(FamilyTable::Paper()));
  list.Add(FactsOfTable(expert, kExpertMetrics),
           {Program::kExpertWorker, Program::kLocal});
  list.Add({FactsOf(kExpertCacheConfig)},
           {Program::kExpertWorker, Program::kLocal});
  list.Add(FactsOf(kTraceMetrics),
           {Program::kRouter, Program::kDenseWorker, Program::kExpertWorker});
  list.Add(FactsOfTable(PathCounters(), kPathMetrics), kWorkers);
  list.Add(FactsOfTable(LinkCounters(), kLinkMetrics), kWorkers);
  return list.Take();
}

std::map<Program, std::int64_t> MostSamples(
    const std::vector<ListedMetric>& metrics) {
  std::map<Program, std::int64_t> sums;
  for (const ListedMetric& metric : metrics) {
    for (const Program program : metric.programs) {
      sums[program] += metric.facts.most_samples;
    }
  }
  return sums;
}

}  // namespace apollo
