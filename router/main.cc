// The front of the cluster: takes requests, knows text and language, and hands
// sequences to dense workers.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/ticker.h"
#include "router/dense_pool.h"
#include "router/grpc/inference_service.h"
#include "router/options.h"
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
  const RouterOptions router = OptionsOfFlags();
  RETURN_IF_ERROR(CheckRouterOptions(router));
  if (absl::GetFlag(FLAGS_model).empty()) {
    return absl::InvalidArgumentError("--model is missing");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Membership> members,
                   Membership::Parse(absl::GetFlag(FLAGS_dense_workers)));
  ASSIGN_OR_RETURN(const std::unique_ptr<RouterModel> model,
                   RouterModel::Load(absl::GetFlag(FLAGS_model), router.model));
  if (members->NamesNobody()) {
    return absl::InvalidArgumentError(
        "--dense_workers names no worker; it must be host:port,host:port or "
        "file:/path with one address a line");
  }
  auto registry = std::make_shared<prometheus::Registry>();
  RequestMetrics metrics(*registry);
  CallTable calls(router.calls, Clock::Real());
  const absl::Duration timeout = absl::GetFlag(FLAGS_dense_worker_timeout);
  if (timeout < absl::Seconds(1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--dense_worker_timeout is ", absl::FormatDuration(timeout),
        "; it must be at least 1s"));
  }
  DensePool pool(model->fingerprint, {timeout});
  // Stops telling the pool before that goes.
  const std::unique_ptr<Membership> source = std::move(members);
  InferenceService service({*model, pool, metrics, Clock::Real(), calls});
  Ticker ticker(absl::Seconds(1), [&calls] { calls.Tick(); });
  ServerOptions options;
  options.listen = absl::GetFlag(FLAGS_listen);
  options.metrics_listen = absl::GetFlag(FLAGS_metrics_listen);
  options.address_file = absl::GetFlag(FLAGS_address_file);
  options.reflection = true;
  options.max_metadata_bytes = router.max_metadata_bytes;
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
