// The front of the cluster: takes requests, knows text and language, and hands
// sequences to dense workers.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "router/dense_pool.h"
#include "router/inference_service.h"
#include "serving/help.h"
#include "serving/membership.h"
#include "serving/server.h"

ABSL_FLAG(std::string, model, "", "Directory of the model (required).");
ABSL_FLAG(std::string, listen, "127.0.0.1:50051",
          "Where to serve gRPC; port 0 takes any free one.");
ABSL_FLAG(std::string, metrics_listen, "127.0.0.1:0",
          "Where to serve /metrics over HTTP.");
ABSL_FLAG(std::string, address_file, "",
          "File to write both addresses to once they listen.");
ABSL_FLAG(std::string, dense_workers, "",
          "Dense workers: host:port,host:port or file:/path with one address a "
          "line, read again when it changes (required).");
ABSL_FLAG(absl::Duration, dense_worker_timeout, absl::Seconds(10),
          "A dense worker whose engine makes no progress for longer is taken "
          "for lost: its requests end and it gets no others.");
ABSL_FLAG(std::string, name, "router", "Name of this process in logs.");
ABSL_FLAG(std::string, families, "",
          "File with the language families; default: families.txt in the model "
          "directory if there, else the published ones.");
ABSL_FLAG(std::string, default_routing, "topk",
          "Routing of requests that do not say: topk or hybrid.");
ABSL_FLAG(
    std::string, language_model, "",
    "Language classifier: a fastText model file, or \"cld2\"; default: the "
    "one that is compiled in.");

namespace apollo {
namespace {

absl::Status Run() {
  if (absl::GetFlag(FLAGS_model).empty()) {
    return absl::InvalidArgumentError("--model is missing");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Membership> members,
                   Membership::Parse(absl::GetFlag(FLAGS_dense_workers)));
  ASSIGN_OR_RETURN(const std::unique_ptr<RouterModel> model,
                   RouterModel::Load(absl::GetFlag(FLAGS_model),
                                     {absl::GetFlag(FLAGS_families),
                                      absl::GetFlag(FLAGS_default_routing),
                                      absl::GetFlag(FLAGS_language_model)}));
  if (members->NamesNobody()) {
    return absl::InvalidArgumentError(
        "--dense_workers names no worker; it must be host:port,host:port or "
        "file:/path with one address a line");
  }
  auto registry = std::make_shared<prometheus::Registry>();
  RequestMetrics metrics(*registry);
  const absl::Duration timeout = absl::GetFlag(FLAGS_dense_worker_timeout);
  if (timeout < absl::Seconds(1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--dense_worker_timeout is ", absl::FormatDuration(timeout),
        "; it must be at least 1s"));
  }
  DensePool pool(model->fingerprint, {timeout});
  // Stops telling the pool before that goes.
  const std::unique_ptr<Membership> source = std::move(members);
  InferenceService service({*model, pool, metrics, Clock::Real()});
  ServerOptions options;
  options.listen = absl::GetFlag(FLAGS_listen);
  options.metrics_listen = absl::GetFlag(FLAGS_metrics_listen);
  options.address_file = absl::GetFlag(FLAGS_address_file);
  options.reflection = true;
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Server> server,
      Server::Start(options,
                    {{&service, v1::InferenceService::service_full_name()}},
                    registry));
  pool.StartPolling();
  source->Start([&pool](const auto& addresses) { pool.SetMembers(addresses); });
  LogInfo("started", {{"address", server->address()},
                      {"metrics", server->metrics_address()},
                      {"model", model->name}});
  server->RunUntilStopped([&pool] { return pool.Ready(); });
  LogInfo("stopping");
  server->Shutdown(absl::Seconds(10));
  return absl::OkStatus();
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  apollo::BlockStopSignals();
  apollo::SetHelp(
      "The router of an Apollo-MoE cluster: serves "
      "apollo.v1.InferenceService.\n"
      "Example: router --model DIR --dense_workers 127.0.0.1:7001");
  absl::ParseCommandLine(argc, argv);
  apollo::SetLogProcess(absl::GetFlag(FLAGS_name));
  const absl::Status status = apollo::Run();
  if (!status.ok()) {
    std::fprintf(stderr, "router: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
