// Sends requests to a cluster and prints the arrival time of every token of
// every stream as one JSON object. See --help.

#include <absl/strings/str_cat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "benchmarks/load/options.h"
#include "benchmarks/load/prompts.h"
#include "benchmarks/load/stream.h"
#include "common/json.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "tools/apollo/channel.h"

namespace apollo::load {
namespace {

// Lets the main thread wait until every stream has `wanted` tokens.
class Progress {
 public:
  Progress(int streams, int wanted) : tokens_(streams), wanted_(wanted) {}

  void Token(int stream) {
    MutexLock lock(mutex_);
    if (++tokens_[stream] == wanted_) changed_.notify_all();
  }
  // Returns false after a minute.
  bool Wait() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    MutexLock lock(mutex_);
    for (const int& tokens : tokens_) {
      while (tokens < wanted_) {
        if (changed_.wait_until(mutex_, end) == std::cv_status::timeout)
          return false;
      }
    }
    return true;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<int> tokens_ ABSL_GUARDED_BY(mutex_);
  const int wanted_;
};

v1::GenerateRequest Request(const Options& options, Prompts& prompts,
                            int prompt_tokens, int new_tokens) {
  v1::GenerateRequest request;
  request.set_prompt(prompts.Next(prompt_tokens));
  request.set_max_new_tokens(new_tokens);
  request.set_ignore_eos(true);
  request.set_language(options.language);
  return request;
}

// Adds the stream to `out`. Returns an error if the request did not do the
// requested work, because its times would be meaningless.
absl::Status Add(const char* group, int prompt_tokens, int new_tokens,
                 const StreamTimes& times, Json& out) {
  RETURN_IF_ERROR(times.status);
  if (times.prompt_tokens != prompt_tokens ||
      static_cast<int>(times.tokens.size()) != new_tokens) {
    return absl::InternalError(
        absl::StrCat("a request had ", times.prompt_tokens, " tokens and got ",
                     times.tokens.size(), "; expected ", prompt_tokens, " and ",
                     new_tokens));
  }
  if (times.cached_tokens != 0) {
    return absl::InternalError(
        absl::StrCat(times.cached_tokens,
                     " tokens of a prompt were found in the cache; use "
                     "another --seed, or none"));
  }
  out.push_back({{"group", group},
                 {"start", times.start},
                 {"prompt_tokens", times.prompt_tokens},
                 {"tokens", times.tokens}});
  return absl::OkStatus();
}

absl::Status Run(const Options& options) {
  const int count = options.streams;
  const int new_tokens = options.new_tokens;
  std::uint64_t seed = options.seed;
  while (seed == 0) seed = std::random_device()();

  client::Options connection = options.connection;
  connection.server.resize(
      std::min(connection.server.find(','), connection.server.size()));
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel,
                   client::MakeChannel(connection));
  const auto service = v1::InferenceService::NewStub(channel);
  ASSIGN_OR_RETURN(Prompts prompts, Prompts::Make(*service, seed));
  Progress progress(count, options.arrivals_after);
  const auto epoch = std::chrono::steady_clock::now();
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < count; ++i) {
    streams.push_back(std::make_unique<Stream>(
        Request(options, prompts, options.prompt_tokens, new_tokens), epoch,
        [&progress, i] { progress.Token(i); }));
  }
  for (const auto& stream : streams) stream->Start(*service);

  Json out = Json::array();
  absl::Status arrived;
  if (options.arrivals > 0) {
    if (!progress.Wait()) {
      arrived = absl::DeadlineExceededError("the streams did not start");
    }
    for (int i = 0; i < options.arrivals && arrived.ok(); ++i) {
      Stream stream(Request(options, prompts, options.arrival_prompt_tokens, 1),
                    epoch);
      stream.Start(*service);
      arrived =
          Add("arriving", options.arrival_prompt_tokens, 1, stream.Wait(), out);
    }
    for (const auto& stream : streams) stream->Cancel();
  }
  for (const auto& stream : streams) {
    StreamTimes times = stream->Wait();
    int wanted = new_tokens;
    if (options.arrivals > 0 && absl::IsCancelled(times.status)) {
      times.status = absl::OkStatus();
      wanted = static_cast<int>(times.tokens.size());
    } else if (options.arrivals > 0 && times.status.ok()) {
      times.status = absl::OutOfRangeError(absl::StrCat(
          "a stream ended while requests were arriving; --new_tokens=",
          new_tokens, " is too low"));
    }
    arrived.Update(Add("running", options.prompt_tokens, wanted, times, out));
  }
  RETURN_IF_ERROR(arrived);
  std::printf("%s\n", Json{{"seed", seed}, {"streams", out}}.dump().c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace apollo::load

int main(int argc, char** argv) {
  CLI::App app(
      "Sends requests to a cluster and prints the arrival times of all tokens "
      "of all\nstreams, in seconds: {\"seed\", \"streams\": [{\"group\", "
      "\"start\",\n\"prompt_tokens\", \"tokens\"}]}. All prompts are "
      "different, and the\nprogram checks that none is found in the cache.\n"
      "Example: load --server 127.0.0.1:50051 --streams 8",
      "load");
  apollo::load::Options options;
  apollo::load::AddOptions(app, options);
  CLI11_PARSE(app, argc, argv);
  if (const absl::Status status = apollo::load::Run(options); !status.ok()) {
    std::fprintf(stderr, "load: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
