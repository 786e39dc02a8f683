#include "engine/worker_flags.h"

#include <absl/flags/flag.h>

#include <optional>

#include "model/weights/weight_names.h"

ABSL_FLAG(int, threads, 0, "Threads for computing; 0: one for each processor.");
ABSL_FLAG(std::string, weights, "auto",
          "Weights in memory: " + apollo::WeightsHelp() +
              "; the same in all workers of a cluster.");
ABSL_FLAG(std::optional<std::int64_t>, cache_megabytes, std::nullopt,
          "Bound of the key/value cache (and, in a dense worker, of the replay "
          "log), in MiB; default: 1024, or 512 in an expert worker.");
ABSL_FLAG(std::string, cache_dtype, "auto",
          "Keys and values in the cache: float32, f16, bf16, or auto: f16 with "
          "--weights in fewer bits than float32, else float32.");
ABSL_FLAG(bool, cache_prefault, false,
          "Take the cache's memory from the machine at the start, not as it is "
          "first used: steadier, and sure to be there.");

namespace apollo {

WorkerFlags ReadWorkerFlags(const std::string& model,
                            std::int64_t cache_megabytes) {
  WorkerFlags flags;
  flags.threads = absl::GetFlag(FLAGS_threads);
  flags.model.model = model;
  flags.model.weights = absl::GetFlag(FLAGS_weights);
  flags.model.cache_megabytes =
      absl::GetFlag(FLAGS_cache_megabytes).value_or(cache_megabytes);
  flags.model.cache_dtype = absl::GetFlag(FLAGS_cache_dtype);
  flags.model.cache_prefault = absl::GetFlag(FLAGS_cache_prefault);
  return flags;
}

}  // namespace apollo
