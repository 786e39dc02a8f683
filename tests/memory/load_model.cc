// Loads all weights of a model like a worker, then exits.
//
// Usage: load_model DIRECTORY WEIGHTS

#include <absl/status/status.h>

#include <cstdio>
#include <set>
#include <string>

#include "common/status_macros.h"
#include "common/thread_pool.h"
#include "engine/cpu/cpu_dense_stage.h"
#include "engine/cpu/cpu_expert_stage.h"
#include "model/config/expert_list.h"
#include "model/weights/open_model.h"
#include "model/weights/weight_names.h"

namespace apollo {
namespace {

absl::Status Run(const std::string& directory, const std::string& weights) {
  ASSIGN_OR_RETURN(const auto format, ParseWeights(weights));
  ASSIGN_OR_RETURN(const OpenModel model,
                   OpenModelDirectory(directory, format));
  ASSIGN_OR_RETURN(const std::set<int> experts,
                   ParseExperts("all", model.config.num_experts));
  ThreadPool pool(2);
  const CacheOptions cache = {1 << 20};
  ASSIGN_OR_RETURN(
      const auto dense,
      CpuDenseStage::Load(model.config, *model.weights, cache, pool, nullptr));
  ASSIGN_OR_RETURN(const auto expert,
                   CpuExpertStage::Load(model.config, *model.weights, experts,
                                        cache, pool, nullptr));
  return absl::OkStatus();
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const absl::Status status = apollo::Run(argv[1], argv[2]);
  if (!status.ok()) {
    std::fprintf(stderr, "load_model: %s\n",
                 std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
