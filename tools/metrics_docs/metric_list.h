#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "serving/metric_spec.h"

namespace apollo {

// The programs that serve metrics, in the order of the documents.
enum class Program { kRouter, kDenseWorker, kExpertWorker, kLocal };
inline constexpr Program kPrograms[] = {Program::kRouter, Program::kDenseWorker,
                                        Program::kExpertWorker,
                                        Program::kLocal};

// Returns the name of a program, such as "dense_worker".
const char* NameOf(Program program);

struct ListedMetric {
  MetricFacts facts;
  std::set<Program> programs;
};

// Returns all metrics of all programs, each once, sorted by name. Their largest
// numbers of samples are those for the published checkpoints: 50 languages and
// "und", 7 experts, 2 sparse layers.
std::vector<ListedMetric> ListMetrics();

// Returns the sums of the largest numbers of samples, by program.
std::map<Program, std::int64_t> MostSamples(
    const std::vector<ListedMetric>& metrics);

}  // namespace apollo
