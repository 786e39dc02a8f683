// The whole cluster in one process: router, dense worker and one expert worker,
// joined by in-process links.

#include <absl/cleanup/cleanup.h>
#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/usage.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/ticker.h"
#include "dense_worker/dense_metrics.h"
#include "dense_worker/dense_worker.h"
#include "dense_worker/routing_log.h"
#include "engine/cache_options.h"
#include "engine/cpu/cpu_dense_stage.h"
#include "engine/cpu/cpu_expert_stage.h"
#include "expert_worker/expert_metrics.h"
#include "expert_worker/expert_worker.h"
#include "kernels/cpu_level.h"
#include "link/in_process_link.h"
#include "model/config/expert_list.h"
#include "model/language/language_labels.h"
#include "model/weights/load_progress.h"
#include "model/weights/open_model.h"
#include "model/weights/weight_names.h"
#include "router/backend.h"
#include "router/grpc/inference_service.h"
#include "router/model/router_model.h"
#include "router/options.h"
#include "serving/flag_checks.h"
#include "serving/server.h"
#include "serving/version.h"

ABSL_FLAG(std::string, model, "", "Directory of the model (required).");
ABSL_FLAG(std::string, listen, "127.0.0.1:50051",
          "Where to serve gRPC; port 0 takes any free one.");
ABSL_FLAG(std::string, metrics_listen, "127.0.0.1:0",
          "Where to serve /metrics over HTTP.");
ABSL_FLAG(std::string, address_file, "",
          "File to write both addresses to once they listen.");
ABSL_FLAG(int, threads, 0, "Threads for computing; 0: one for each processor.");
ABSL_FLAG(std::int64_t, cache_megabytes, 1024,
          "Bound of the dense layers' cache, in MiB; the sparse layers take up "
          "to as much again.");
ABSL_FLAG(std::string, cache_dtype, "auto",
          "Keys and values in the cache: float32, f16, bf16, or auto: f16 with "
          "--weights in fewer bits than float32, else float32.");
ABSL_FLAG(bool, cache_prefault, false,
          "Take the cache's memory from the machine at the start, not as it is "
          "first used: steadier, and sure to be there.");
ABSL_FLAG(std::string, weights, "auto",
          "Weights in memory: " + apollo::WeightsHelp() +
              "; the same in all workers of a cluster.");
ABSL_FLAG(
    int, mixed_token_budget, 16,
    "Most rows of prompts in one step while many more answers are being "
    "generated than begun: fewer make their tokens come more steadily and "
    "prompts take longer.");
ABSL_FLAG(int, steps_in_flight, 1,
          "Steps at once. Both stages share this machine's processors: 1 makes "
          "larger steps, which read the weights less often.");
ABSL_FLAG(bool, prefix_caching, true,
          "Share the cache blocks of prompts that begin alike.");
ABSL_FLAG(std::string, families, "",
          "File with the language families; default: families.txt in the model "
          "directory if there, else the published ones.");
ABSL_FLAG(std::string, default_routing, "topk",
          "Routing of requests that do not say: topk or hybrid.");
ABSL_FLAG(
    std::string, language_model, "",
    "Language classifier: a fastText model file, or \"cld2\"; default: the "
    "one that is compiled in.");
ABSL_FLAG(int, max_calls, apollo::CallLimits().max_calls,
          "Most Generate and Score calls at once; more are refused with "
          "RESOURCE_EXHAUSTED.");
ABSL_FLAG(std::int64_t, call_output_bytes, apollo::CallLimits().output_bytes,
          "Unsent output of one call, in bytes, at which its sequences pause "
          "until the client has read half of it.");
ABSL_FLAG(absl::Duration, stalled_client_timeout,
          apollo::CallLimits().stalled_client_timeout,
          "How long a call whose client reads nothing stays paused before it "
          "ends with RESOURCE_EXHAUSTED.");
ABSL_FLAG(int, max_metadata_bytes, apollo::RouterOptions().max_metadata_bytes,
          "Most bytes of a call's gRPC metadata; more is refused with "
          "RESOURCE_EXHAUSTED.");

namespace apollo {
namespace {

// The dense worker of this process as the router's backend.
class LocalBackend final : public RouterBackend {
 public:
  LocalBackend(DenseWorker& worker, const RoutingLog& routing,
               std::string model_hash)
      : worker_(worker),
        routing_(routing),
        model_hash_(std::move(model_hash)) {}
  std::unique_ptr<GenerationCall> Start(
      GenerationRequest request,
      std::shared_ptr<GenerationSink> sink) override {
    return worker_.Start(std::move(request), std::move(sink));
  }
  bool Ready() override { return worker_.Ready(); }
  std::string ModelHash() override { return model_hash_; }
  void CollectRouting(
      absl::Duration window,
      std::function<void(std::vector<WorkerRouting>)> done) override {
    done({{"local", routing_.Counts(window)}});
  }

 private:
  DenseWorker& worker_;
  const RoutingLog& routing_;
  const std::string model_hash_;
};

RouterOptions OptionsOfFlags() {
  RouterOptions options;
  options.model.families_file = absl::GetFlag(FLAGS_families);
  options.model.default_routing = absl::GetFlag(FLAGS_default_routing);
  options.model.language_model = absl::GetFlag(FLAGS_language_model);
  options.calls.max_calls = absl::GetFlag(FLAGS_max_calls);
  options.calls.output_bytes = absl::GetFlag(FLAGS_call_output_bytes);
  options.calls.stalled_client_timeout =
      absl::GetFlag(FLAGS_stalled_client_timeout);
  options.max_metadata_bytes = absl::GetFlag(FLAGS_max_metadata_bytes);
  return options;
}

absl::Status Run() {
  const RouterOptions router_options = OptionsOfFlags();
  RETURN_IF_ERROR(CheckRouterOptions(router_options));
  RETURN_IF_ERROR(UseCpuLevelOfEnvironment());
  RETURN_IF_ERROR(CheckAtLeastOne("mixed_token_budget",
                                  absl::GetFlag(FLAGS_mixed_token_budget)));
  RETURN_IF_ERROR(
      CheckAtLeastOne("steps_in_flight", absl::GetFlag(FLAGS_steps_in_flight)));
  ASSIGN_OR_RETURN(const int threads,
                   ThreadCount(absl::GetFlag(FLAGS_threads)));
  ASSIGN_OR_RETURN(const std::optional<WeightFormat> weights,
                   ParseWeights(absl::GetFlag(FLAGS_weights)));
  ASSIGN_OR_RETURN(const OpenModel model,
                   OpenModelDirectory(absl::GetFlag(FLAGS_model), weights));
  ASSIGN_OR_RETURN(
      CacheOptions cache,
      ParseCacheOptions(absl::GetFlag(FLAGS_cache_megabytes),
                        absl::GetFlag(FLAGS_cache_dtype), model.format));
  cache.prefault = absl::GetFlag(FLAGS_cache_prefault);
  ASSIGN_OR_RETURN(
      const std::unique_ptr<RouterModel> router,
      RouterModel::Load(absl::GetFlag(FLAGS_model), router_options.model));
  ASSIGN_OR_RETURN(const std::set<int> experts,
                   ParseExperts("all", model.config.num_experts));
  // A pool serves one thread at a time, so each stage has its own.
  ThreadPool dense_pool(threads), expert_pool(threads);
  ASSIGN_OR_RETURN(std::unique_ptr<CpuDenseStage> dense_stage,
                   CpuDenseStage::Load(model.config, *model.weights, cache,
                                       dense_pool, LogLoadProgress()));
  ASSIGN_OR_RETURN(std::unique_ptr<CpuExpertStage> expert_stage,
                   CpuExpertStage::Load(model.config, *model.weights, experts,
                                        cache, expert_pool, LogLoadProgress()));
  auto registry = std::make_shared<prometheus::Registry>();
  RequestMetrics request_metrics(*registry);
  CallTable calls(router_options.calls, Clock::Real());
  const LanguageLabels labels(router->families);
  RoutingLog routing(model.config, labels, Clock::Real());
  DenseMetrics dense_metrics(*registry, routing);
  // The requests are counted once, as the router's.
  ExpertMetrics expert_metrics(*registry, model.config, labels,
                               /*requests=*/nullptr, Clock::Real());
  DenseCore::Options core;
  core.name = "local";
  core.prefix_caching = absl::GetFlag(FLAGS_prefix_caching);
  core.steps_in_flight = absl::GetFlag(FLAGS_steps_in_flight);
  core.scheduler.mixed_token_budget = absl::GetFlag(FLAGS_mixed_token_budget);
  // Both engines are this process: if one stands still, so does the other, and
  // nobody would dial again.
  core.silent_after = core.answer_timeout = absl::InfiniteDuration();
  const std::int64_t cache_tokens = CacheTokens(expert_stage->blocks());
  ExpertWorker expert_worker({}, std::move(expert_stage), expert_metrics);
  DenseWorker dense_worker(core, std::move(dense_stage), dense_metrics);
  auto dense_session = std::make_shared<LinkSession>(
      Hello{WorkerRole::kDense, "local", model.hash, kVersion, {}},
      dense_worker, nullptr);
  auto expert_session = std::make_shared<LinkSession>(
      Hello{WorkerRole::kExpert, "local", model.hash, kVersion, experts,
            cache_tokens},
      expert_worker, nullptr);
  const auto [dense_end, expert_end] =
      MakeInProcessLink(dense_session, expert_session);
  // However this function ends: neither worker may send to one that is gone.
  const absl::Cleanup close = [end = dense_end] { end->Close(); };
  dense_session->Begin(dense_end);
  expert_session->Begin(expert_end);

  LocalBackend backend(dense_worker, routing, model.hash);
  InferenceService service(
      {*router, backend, request_metrics, Clock::Real(), calls});
  Ticker ticker(absl::Seconds(1), [&calls] { calls.Tick(); });
  ServerOptions options;
  options.listen = absl::GetFlag(FLAGS_listen);
  options.metrics_listen = absl::GetFlag(FLAGS_metrics_listen);
  options.address_file = absl::GetFlag(FLAGS_address_file);
  options.reflection = true;
  options.max_metadata_bytes = router_options.max_metadata_bytes;
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Server> server,
      Server::Start(options,
                    {{&service, v1::InferenceService::service_full_name()}},
                    registry));
  LogInfo("started", {{"address", server->address()},
                      {"metrics", server->metrics_address()},
                      {"model", router->name},
                      {"threads", threads},
                      {"weights", absl::GetFlag(FLAGS_weights)},
                      {"cpu_level", CpuLevelName(CurrentCpuLevel())}});
  server->RunUntilStopped([&dense_worker] { return dense_worker.Ready(); });
  LogInfo("stopping");
  server->Shutdown(absl::Seconds(10));
  return absl::OkStatus();
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  apollo::BlockStopSignals();
  absl::SetProgramUsageMessage(
      "A whole Apollo-MoE cluster in one process.\n"
      "Example: apollo_local --model DIR --listen 127.0.0.1:50051");
  absl::ParseCommandLine(argc, argv);
  apollo::SetLogProcess("local");
  const absl::Status status = apollo::Run();
  if (!status.ok()) {
    std::fprintf(stderr, "apollo_local: %s\n",
                 std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
