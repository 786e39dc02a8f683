// Runs the sparse layers with the experts it holds.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/time/time.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "engine/cache_options.h"
#include "engine/cpu/cpu_expert_stage.h"
#include "expert_worker/expert_metrics.h"
#include "expert_worker/expert_worker.h"
#include "expert_worker/link_acceptor.h"
#include "kernels/cpu_level.h"
#include "link/grpc_link.h"
#include "link/peer_set.h"
#include "model/config/expert_list.h"
#include "model/language/families.h"
#include "model/language/language_labels.h"
#include "model/weights/load_progress.h"
#include "model/weights/open_model.h"
#include "model/weights/weight_names.h"
#include "serving/flag_checks.h"
#include "serving/help.h"
#include "serving/membership.h"
#include "serving/metrics.h"
#include "serving/server.h"
#include "serving/version.h"

ABSL_FLAG(std::string, model, "", "Directory of the model (required).");
ABSL_FLAG(std::string, listen, "127.0.0.1:0",
          "Where to serve links to other workers; port 0 takes any free one.");
ABSL_FLAG(std::string, metrics_listen, "127.0.0.1:0",
          "Where to serve /metrics over HTTP.");
ABSL_FLAG(std::string, address_file, "",
          "File to write both addresses to once they listen.");
ABSL_FLAG(std::string, experts, "all",
          "Experts to hold in memory: \"all\", or numbers such as 0,3,4.");
ABSL_FLAG(std::string, expert_workers, "",
          "All expert workers, this one may be among them: host:port,host:port "
          "or file:/path with one address a line, read again when it changes. "
          "Needed unless this one holds all experts.");
ABSL_FLAG(std::string, families, "",
          "File with the language families, for counting by language: the "
          "router's; default: families.txt in the model directory if there, "
          "else the published ones.");
ABSL_FLAG(std::string, name, "expert-0",
          "Name of this process; unique in the cluster.");
ABSL_FLAG(absl::Duration, answer_timeout, absl::Seconds(10),
          "A peer that owes an answer for longer is taken for lost.");
ABSL_FLAG(int, threads, 0, "Threads for computing; 0: one for each processor.");
ABSL_FLAG(std::int64_t, cache_megabytes, 512,
          "Bound of the key/value cache, in MiB.");
ABSL_FLAG(std::string, cache_dtype, "auto",
          "Keys and values in the cache: float32, f16, bf16, or auto: f16 with "
          "--weights in fewer bits than float32, else float32.");
ABSL_FLAG(bool, cache_prefault, false,
          "Take the cache's memory from the machine at the start, not as it is "
          "first used: steadier, and sure to be there.");
ABSL_FLAG(std::string, weights, "auto",
          "Weights in memory: " + apollo::WeightsHelp() +
              "; the same in all workers of a cluster.");

namespace apollo {
namespace {

// Longer than a frame takes to come.
constexpr absl::Duration kQuiet = absl::Milliseconds(300);

absl::Status Run() {
  RETURN_IF_ERROR(UseCpuLevelOfEnvironment());
  ASSIGN_OR_RETURN(std::unique_ptr<Membership> members,
                   Membership::Parse(absl::GetFlag(FLAGS_expert_workers)));
  RETURN_IF_ERROR(
      CheckAboveZero("answer_timeout", absl::GetFlag(FLAGS_answer_timeout)));
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
      const std::set<int> experts,
      ParseExperts(absl::GetFlag(FLAGS_experts), model.config.num_experts));
  ASSIGN_OR_RETURN(const FamilyTable families,
                   FamilyTable::ForModel(absl::GetFlag(FLAGS_model),
                                         absl::GetFlag(FLAGS_families),
                                         model.config.num_experts));
  ThreadPool pool(threads);
  ASSIGN_OR_RETURN(std::unique_ptr<CpuExpertStage> stage,
                   CpuExpertStage::Load(model.config, *model.weights, experts,
                                        cache, pool, LogLoadProgress()));
  auto registry = std::make_shared<prometheus::Registry>();
  RequestMetrics request_metrics(*registry);
  ExpertMetrics metrics(*registry, model.config, LanguageLabels(families),
                        &request_metrics, Clock::Real());
  const std::int64_t cache_tokens = CacheTokens(stage->blocks());
  ExpertWorker worker({absl::GetFlag(FLAGS_answer_timeout)}, std::move(stage),
                      metrics);
  const Hello self = {WorkerRole::kExpert,
                      absl::GetFlag(FLAGS_name),
                      model.hash,
                      kVersion,
                      experts,
                      cache_tokens};
  WorkerLinkAcceptor acceptor(self, worker);
  GrpcLinkService service(acceptor);
  ServerOptions options;
  options.listen = absl::GetFlag(FLAGS_listen);
  options.metrics_listen = absl::GetFlag(FLAGS_metrics_listen);
  options.address_file = absl::GetFlag(FLAGS_address_file);
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Server> server,
      Server::Start(
          options, {{&service, internal::v1::LinkService::service_full_name()}},
          registry));
  PeerSet peers(MakeGrpcDialer(MakeClusterChannel), self, worker);
  // Stops telling the peers before they go.
  const std::unique_ptr<Membership> source = std::move(members);
  peers.Start();
  source->Start(
      [&peers](const auto& addresses) { peers.SetMembers(addresses); });
  LogInfo("started", {{"address", server->address()},
                      {"metrics", server->metrics_address()},
                      {"model_hash", model.hash},
                      {"sparse_layers", model.config.num_sparse_layers()},
                      {"experts", static_cast<int>(experts.size())},
                      {"threads", threads},
                      {"weights", absl::GetFlag(FLAGS_weights)},
                      {"cpu_level", CpuLevelName(CurrentCpuLevel())}});
  server->RunUntilStopped([&worker] { return worker.Ready(); });
  LogInfo("stopping");
  worker.Drain();
  // What is in progress, or was under way when dense workers and peers were
  // told, may end before the links are cut.
  const absl::Duration deadline = Clock::Real().Now() + absl::Seconds(10);
  while ((worker.sequences() > 0 || worker.QuietFor() < kQuiet) &&
         Clock::Real().Now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  server->Shutdown(absl::ZeroDuration());
  return absl::OkStatus();
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  apollo::BlockStopSignals();
  apollo::SetHelp(
      "An expert worker of an Apollo-MoE cluster: runs the sparse layers.\n"
      "Example: expert_worker --model DIR --experts 0,1,2,3 --expert_workers "
      "127.0.0.1:7101,127.0.0.1:7102 --listen 127.0.0.1:7101");
  absl::ParseCommandLine(argc, argv);
  apollo::SetLogProcess(absl::GetFlag(FLAGS_name));
  const absl::Status status = apollo::Run();
  if (!status.ok()) {
    std::fprintf(stderr, "expert_worker: %s\n",
                 std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
