#include "engine/worker_flags.h"

#include <absl/flags/flag.h>

#include <optional>

#include "common/status_macros.h"
#include "engine/worker_device.h"
#include "model/weights/weight_names.h"

ABSL_FLAG(std::string, device, "cpu",
          "Device that computes: cpu, or cuda:N for the GPU with index N (with "
          "weights in bf16, int8 or int4, and a cache in bf16). GPUs need a "
          "program built with --config=cuda.");
ABSL_FLAG(int, threads, 0, "Compute threads; 0: one per CPU.");
ABSL_FLAG(std::string, weights, "auto",
          "Weights in memory: " + apollo::WeightsHelp() +
              "; the same in all workers of a cluster.");
ABSL_FLAG(std::optional<std::int64_t>, cache_megabytes, std::nullopt,
          "Maximum size of the key/value cache (with the replay log of a dense "
          "worker), in MiB. Default: 1024, or 512 in an expert worker.");
ABSL_FLAG(
    std::string, cache_dtype, "auto",
    "Type of cached keys and values: float32, f16, bf16 or auto: f16 if "
    "--weights has fewer bits than float32, else float32; on a GPU always "
    "bf16.");
ABSL_FLAG(bool, cache_prefault, false,
          "Allocate the cache's physical memory at start instead of on first "
          "use: steadier latency, and no lack of memory later. A GPU always "
          "does.");

ABSL_FLAG(bool, prefix_caching, true,
          "Keep what was computed for prompts and answers until the room is "
          "needed, and share the cache blocks of equal beginnings. A beginning "
          "is computed once only if dense and expert workers have it on.");

namespace apollo {

absl::StatusOr<WorkerFlags> ReadWorkerFlags(const std::string& model,
                                            std::int64_t cache_megabytes) {
  WorkerFlags flags;
  ASSIGN_OR_RETURN(flags.model.device,
                   ParseDevice(absl::GetFlag(FLAGS_device)));
  flags.threads = absl::GetFlag(FLAGS_threads);
  flags.model.model = model;
  flags.model.weights = absl::GetFlag(FLAGS_weights);
  flags.model.cache_megabytes =
      absl::GetFlag(FLAGS_cache_megabytes).value_or(cache_megabytes);
  flags.model.cache_dtype = absl::GetFlag(FLAGS_cache_dtype);
  flags.model.cache_prefault = absl::GetFlag(FLAGS_cache_prefault);
  flags.prefix_caching = absl::GetFlag(FLAGS_prefix_caching);
  return flags;
}

}  // namespace apollo
