// Measures the delay that the router adds to a request and its tokens. See
// --help.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/strings/str_cat.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "benchmarks/load/prompts.h"
#include "benchmarks/router/hop.h"
#include "benchmarks/router/stand_in.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "proto/apollo/internal/v1/generation.grpc.pb.h"
#include "proto/apollo/v1/inference.grpc.pb.h"
#include "serving/help.h"
#include "serving/server.h"

ABSL_FLAG(int, requests, 200, "Requests on each path, in turns.");
ABSL_FLAG(int, prompt_tokens, 128, "Tokens of each prompt.");
ABSL_FLAG(int, new_tokens, 32, "Tokens of each answer.");
ABSL_FLAG(double, pace_ms, 5, "Time between two tokens, in ms.");
ABSL_FLAG(std::string, language, "",
          "Language code of the prompts; empty: detected by the router.");

namespace apollo::load {
namespace {

namespace pb = internal::v1;
using SteadyClock = std::chrono::steady_clock;

double Seconds(SteadyClock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Times of one path, in seconds.
struct Way {
  std::vector<double> requests;  // From the call to the first token.
  // Each later token, from the worker to the client.
  std::vector<double> tokens;

  Json ToJson() const { return {{"requests", requests}, {"tokens", tokens}}; }
};

// The measurement is the same on both paths; `is_token` distinguishes the
// events.
template <typename Reader, typename Event, typename IsToken>
absl::Status Follow(Reader& reader, SteadyClock::time_point start,
                    StandIn& worker, IsToken is_token, Event event, int warm_up,
                    Way& way) {
  std::vector<SteadyClock::time_point> arrived;
  while (reader.Read(&event)) {
    if (is_token(event)) arrived.push_back(SteadyClock::now());
  }
  const grpc::Status status = reader.Finish();
  if (!status.ok()) return absl::InternalError(status.error_message());
  const std::vector<SteadyClock::time_point> sent = worker.sent();
  if (arrived.empty() || arrived.size() != sent.size()) {
    return absl::InternalError(absl::StrCat(arrived.size(), " tokens arrived, ",
                                            sent.size(), " were sent"));
  }
  if (warm_up > 0) return absl::OkStatus();
  way.requests.push_back(Seconds(arrived[0] - start));
  for (std::size_t i = 1; i < sent.size(); ++i) {
    way.tokens.push_back(Seconds(arrived[i] - sent[i]));
  }
  return absl::OkStatus();
}

absl::Status Run() {
  constexpr int kWarmUp = 5;
  const int requests = absl::GetFlag(FLAGS_requests);
  const int prompt_tokens = absl::GetFlag(FLAGS_prompt_tokens);
  const int new_tokens = absl::GetFlag(FLAGS_new_tokens);
  const double pace_ms = absl::GetFlag(FLAGS_pace_ms);
  if (requests < 1 || prompt_tokens < 1 || new_tokens < 2 ||
      !(pace_ms >= 0 && pace_ms <= 1000)) {
    return absl::InvalidArgumentError(
        "--requests and --prompt_tokens must be at least 1, --new_tokens at "
        "least "
        "2, --pace_ms from 0 to 1000");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<StandIn> worker,
                   StandIn::Start(std::chrono::microseconds(
                       static_cast<int>(pace_ms * 1000))));
  // The parent starts a router with this worker and passes its address.
  std::cout << Json{{"dense_worker", worker->address()}}.dump() << std::endl;
  std::string address;
  if (!std::getline(std::cin, address)) {
    return absl::InvalidArgumentError("no router's address on standard input");
  }
  const auto router =
      v1::InferenceService::NewStub(MakeClusterChannel(address));
  const auto direct =
      pb::DenseWorkerService::NewStub(MakeClusterChannel(worker->address()));
  ASSIGN_OR_RETURN(Prompts prompts,
                   Prompts::Make(*router, std::random_device()()));

  const std::chrono::microseconds pace(static_cast<int>(pace_ms * 1000));
  ASSIGN_OR_RETURN(const std::vector<double> hop, MeasureHop(200, pace));
  Way through, without;
  for (int i = -kWarmUp; i < requests; ++i) {
    v1::GenerateRequest ask;
    ask.set_prompt(prompts.Next(prompt_tokens));
    ask.set_max_new_tokens(new_tokens);
    ask.set_ignore_eos(true);
    ask.set_language(absl::GetFlag(FLAGS_language));
    {
      grpc::ClientContext context;
      const auto start = SteadyClock::now();
      const auto reader = router->Generate(&context, ask);
      RETURN_IF_ERROR(Follow(
          *reader, start, *worker,
          [](const v1::GenerateResponse& e) {
            return e.delta().token_ids_size() > 0;
          },
          v1::GenerateResponse(), -i, through));
    }
    pb::RunRequest run;
    // The stand-in accepts any tokens.
    for (int t = 0; t < prompt_tokens; ++t) run.add_prompt(t);
    run.set_max_new_tokens(new_tokens);
    run.set_ignore_eos(true);
    {
      grpc::ClientContext context;
      const auto start = SteadyClock::now();
      const auto reader = direct->Run(&context);
      reader->Write(run);
      RETURN_IF_ERROR(Follow(
          *reader, start, *worker,
          [](const pb::RunEvent& e) { return e.has_token(); }, pb::RunEvent(),
          -i, without));
    }
  }
  std::cout << Json{{"router", through.ToJson()},
                    {"direct", without.ToJson()},
                    {"hop", hop}}
                   .dump()
            << std::endl;
  return absl::OkStatus();
}

}  // namespace
}  // namespace apollo::load

int main(int argc, char** argv) {
  apollo::SetHelp(
      "Measures the delay that the router adds to a request and its tokens. "
      "This program is\nboth client and dense worker, so one clock times both "
      "ends. Each request goes once\nthrough a router and once directly to the "
      "worker, whose tokens come at a fixed pace.\n\n"
      "Prints {\"dense_worker\": ADDRESS}, reads the address of a router that "
      "was started with\nit, then prints the seconds of each request (from the "
      "call to the first token) and of\neach further token on both paths, and "
      "of a byte from thread to thread through TCP.\nUsed by "
      "benchmarks/peers/run.py.");
  absl::ParseCommandLine(argc, argv);
  if (const absl::Status status = apollo::load::Run(); !status.ok()) {
    std::fprintf(stderr, "router_overhead: %s\n",
                 std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
