// Runs the layers that all languages share and owns the sequences.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/time/time.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/ticker.h"
#include "dense_worker/dense_metrics.h"
#include "dense_worker/dense_worker.h"
#include "dense_worker/options_check.h"
#include "dense_worker/routing_log.h"
#include "dense_worker/run_service.h"
#include "engine/cache_options.h"
#include "engine/cpu/cpu_dense_stage.h"
#include "kernels/cpu_level.h"
#include "link/grpc_link.h"
#include "link/peer_set.h"
#include "model/language/families.h"
#include "model/language/language_labels.h"
#include "model/weights/load_progress.h"
#include "model/weights/open_model.h"
#include "model/weights/weight_names.h"
#include "serving/flag_checks.h"
#include "serving/help.h"
#include "serving/membership.h"
#include "serving/server.h"
#include "serving/version.h"

ABSL_FLAG(std::string, model, "", "Directory of the model (required).");
ABSL_FLAG(std::string, listen, "127.0.0.1:0",
          "Where to serve gRPC to routers; port 0 takes any free one.");
ABSL_FLAG(std::string, metrics_listen, "127.0.0.1:0",
          "Where to serve /metrics over HTTP.");
ABSL_FLAG(std::string, address_file, "",
          "File to write both addresses to once they listen.");
ABSL_FLAG(
    std::string, expert_workers, "",
    "Expert workers: host:port,host:port or file:/path with one address a "
    "line, read again when it changes (required).");
ABSL_FLAG(std::string, families, "",
          "File with the language families, for counting by language: the "
          "router's; default: families.txt in the model directory if there, "
          "else the published ones.");
ABSL_FLAG(std::string, name, "dense-0",
          "Name of this process; unique in the cluster.");
ABSL_FLAG(absl::Duration, answer_timeout, absl::Seconds(30),
          "An expert worker that owes an answer for longer is taken for lost.");
ABSL_FLAG(int, threads, 0, "Threads for computing; 0: one for each processor.");
ABSL_FLAG(std::int64_t, cache_megabytes, 1024,
          "Bound of the key/value cache and replay log, in MiB.");
ABSL_FLAG(std::string, cache_dtype, "auto",
          "Keys and values in the cache: float32, f16, bf16, or auto: f16 with "
          "--weights in fewer bits than float32, else float32.");
ABSL_FLAG(bool, cache_prefault, false,
          "Take the cache's memory from the machine at the start, not as it is "
          "first used: steadier, and sure to be there.");
ABSL_FLAG(std::string, weights, "auto",
          "Weights in memory: " + apollo::WeightsHelp() +
              "; the same in all workers of a cluster.");
ABSL_FLAG(bool, prefix_caching, true,
          "Share the cache blocks of prompts that begin alike.");
ABSL_FLAG(int, max_running, 64, "Most sequences that run at once.");
ABSL_FLAG(int, token_budget, 512, "Most rows of one step.");
ABSL_FLAG(
    int, mixed_token_budget, 16,
    "Most rows of prompts in one step while many more answers are being "
    "generated than begun: fewer make their tokens come more steadily and "
    "prompts take longer.");
ABSL_FLAG(int, steps_in_flight, 2,
          "Steps at once: 2 let dense and expert workers compute at the same "
          "time; 1 is better where they share processors, as larger steps read "
          "the weights less often.");
ABSL_FLAG(int, max_waiting, 1024,
          "Most sequences that wait for cache space before more are refused.");

namespace apollo {
namespace {

// How long a router may take nothing of what its calls have for it.
constexpr absl::Duration kStalledRouterTimeout = absl::Seconds(60);

absl::Status Run() {
  RETURN_IF_ERROR(UseCpuLevelOfEnvironment());
  ASSIGN_OR_RETURN(std::unique_ptr<Membership> members,
                   Membership::Parse(absl::GetFlag(FLAGS_expert_workers)));
  RETURN_IF_ERROR(
      CheckAboveZero("answer_timeout", absl::GetFlag(FLAGS_answer_timeout)));
  ASSIGN_OR_RETURN(const int threads,
                   ThreadCount(absl::GetFlag(FLAGS_threads)));
  RETURN_IF_ERROR(
      CheckAtLeastOne("max_running", absl::GetFlag(FLAGS_max_running)));
  RETURN_IF_ERROR(
      CheckAtLeastOne("token_budget", absl::GetFlag(FLAGS_token_budget)));
  RETURN_IF_ERROR(CheckAtLeastOne("mixed_token_budget",
                                  absl::GetFlag(FLAGS_mixed_token_budget)));
  RETURN_IF_ERROR(
      CheckAtLeastOne("steps_in_flight", absl::GetFlag(FLAGS_steps_in_flight)));
  RETURN_IF_ERROR(
      CheckAtLeastOne("max_waiting", absl::GetFlag(FLAGS_max_waiting)));
  ASSIGN_OR_RETURN(const std::optional<WeightFormat> weights,
                   ParseWeights(absl::GetFlag(FLAGS_weights)));
  ASSIGN_OR_RETURN(const OpenModel model,
                   OpenModelDirectory(absl::GetFlag(FLAGS_model), weights));
  ASSIGN_OR_RETURN(
      CacheOptions cache,
      ParseCacheOptions(absl::GetFlag(FLAGS_cache_megabytes),
                        absl::GetFlag(FLAGS_cache_dtype), model.format));
  cache.prefault = absl::GetFlag(FLAGS_cache_prefault);
  ASSIGN_OR_RETURN(const FamilyTable families,
                   FamilyTable::ForModel(absl::GetFlag(FLAGS_model),
                                         absl::GetFlag(FLAGS_families),
                                         model.config.num_experts));
  DenseCore::Options core;
  core.name = absl::GetFlag(FLAGS_name);
  core.scheduler.token_budget = absl::GetFlag(FLAGS_token_budget);
  core.scheduler.mixed_token_budget = absl::GetFlag(FLAGS_mixed_token_budget);
  core.steps_in_flight = absl::GetFlag(FLAGS_steps_in_flight);
  core.scheduler.max_running = absl::GetFlag(FLAGS_max_running);
  core.prefix_caching = absl::GetFlag(FLAGS_prefix_caching);
  core.max_waiting = absl::GetFlag(FLAGS_max_waiting);
  core.answer_timeout = absl::GetFlag(FLAGS_answer_timeout);
  RETURN_IF_ERROR(CheckOptions(core, model.config));
  ThreadPool pool(threads);
  ASSIGN_OR_RETURN(std::unique_ptr<CpuDenseStage> stage,
                   CpuDenseStage::Load(model.config, *model.weights, cache,
                                       pool, LogLoadProgress()));
  auto registry = std::make_shared<prometheus::Registry>();
  RequestMetrics request_metrics(*registry);
  RoutingLog routing(model.config, LanguageLabels(families), Clock::Real());
  DenseMetrics metrics(*registry, routing);
  DenseWorker worker(core, std::move(stage), metrics);
  RunService service(
      worker,
      {core.name, model.hash,
       FingerprintOf(model.config, absl::GetFlag(FLAGS_model)),
       [&worker] { return worker.Ready(); },
       [&worker] { return worker.sequences(); },
       // A long step makes progress loop by loop.
       [&worker, &pool] { return worker.progress() + pool.loops(); }, routing},
      request_metrics, Clock::Real());
  const Ticker stalled(absl::Seconds(1), [&service] {
    service.EndStalledCalls(kStalledRouterTimeout);
  });
  ServerOptions options;
  options.listen = absl::GetFlag(FLAGS_listen);
  options.metrics_listen = absl::GetFlag(FLAGS_metrics_listen);
  options.address_file = absl::GetFlag(FLAGS_address_file);
  options.max_message_bytes = 16 << 20;
  PeerSet peers(MakeGrpcDialer(MakeClusterChannel),
                {WorkerRole::kDense, core.name, model.hash, kVersion, {}},
                worker);
  // Stops telling the peers before they go.
  const std::unique_ptr<Membership> source = std::move(members);
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Server> server,
      Server::Start(
          options,
          {{&service, internal::v1::DenseWorkerService::service_full_name()}},
          registry));
  peers.Start();
  source->Start(
      [&peers](const auto& addresses) { peers.SetMembers(addresses); });
  LogInfo("started", {{"address", server->address()},
                      {"metrics", server->metrics_address()},
                      {"model_hash", model.hash},
                      {"dense_layers", model.config.boundary},
                      {"threads", threads},
                      {"weights", absl::GetFlag(FLAGS_weights)},
                      {"cpu_level", CpuLevelName(CurrentCpuLevel())}});
  server->RunUntilStopped([&worker] { return worker.Ready(); });
  LogInfo("stopping");
  // Sequences in progress may end; new calls are refused meanwhile.
  server->Shutdown(absl::Seconds(10));
  return absl::OkStatus();
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  apollo::BlockStopSignals();
  apollo::SetHelp(
      "A dense worker of an Apollo-MoE cluster: runs the layers that all "
      "languages share.\nExample: dense_worker --model DIR --expert_workers "
      "127.0.0.1:7101,127.0.0.1:7102");
  absl::ParseCommandLine(argc, argv);
  apollo::SetLogProcess(absl::GetFlag(FLAGS_name));
  const absl::Status status = apollo::Run();
  if (!status.ok()) {
    std::fprintf(stderr, "dense_worker: %s\n",
                 std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
