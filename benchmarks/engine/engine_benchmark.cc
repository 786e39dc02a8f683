// Measures tokens per second of the engine's arithmetic by weight format:
// prefill of one prompt, and decoding of 1, 8 and 32 streams after prompts of
// 128 tokens. The cache has the default type for the format.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/usage.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "benchmarks/engine/runner.h"
#include "common/status_macros.h"
#include "common/thread_count.h"
#include "kernels/cpu_level.h"
#include "model/config/model_config.h"
#include "model/weights/open_model.h"
#include "model/weights/weight_names.h"
#include "serving/flag_checks.h"

ABSL_FLAG(std::string, model, "", "Directory of the model (required).");
ABSL_FLAG(
    std::string, weights, "int8,int4,bf16,float32",
    "Comma-separated formats to measure, as in --weights of the workers.");
ABSL_FLAG(int, threads, 0, "Threads; 0: one per CPU.");
ABSL_FLAG(int, repeats, 3, "Runs of each measurement; the median is printed.");
ABSL_FLAG(int, prompt, 512, "Tokens of the prefilled prompt.");
ABSL_FLAG(int, steps, 32, "Decoding steps.");
ABSL_FLAG(std::string, streams, "1,8,32",
          "Comma-separated numbers of streams.");
ABSL_FLAG(bool, cpu_time, false,
          "Measure CPU time instead of wall time; with one thread it is more "
          "reliable on a busy machine.");

namespace apollo {
namespace {

double Seconds() {
  if (absl::GetFlag(FLAGS_cpu_time)) {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) +
           1e-9 * static_cast<double>(time.tv_nsec);
  }
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::vector<std::int32_t> Tokens(int count, int seed, int vocab) {
  std::vector<std::int32_t> tokens(count);
  for (int i = 0; i < count; ++i) {
    tokens[i] =
        static_cast<std::int32_t>((i * 7919LL + seed * 104729LL + 17) % vocab);
  }
  return tokens;
}

constexpr int kDecodePrompt = 128;  // Tokens before the decoded ones.

absl::StatusOr<double> Prefill(Runner& runner, int length) {
  Runner::Sequence sequence;
  const std::vector<std::int32_t> tokens = Tokens(length, 1, runner.vocab());
  const double begin = Seconds();
  RETURN_IF_ERROR(runner.Step({{&sequence, tokens}}).status());
  const double rate = length / (Seconds() - begin);
  runner.Release(sequence);
  return rate;
}

absl::StatusOr<double> Decode(Runner& runner, int streams, int steps) {
  std::vector<Runner::Sequence> sequences(streams);
  std::vector<std::int32_t> next(streams);
  for (int s = 0; s < streams; ++s) {
    const std::vector<std::int32_t> tokens =
        Tokens(kDecodePrompt, s, runner.vocab());
    RETURN_IF_ERROR(runner.Step({{&sequences[s], tokens}}).status());
  }
  double begin = 0;
  for (int step = 0; step <= steps; ++step) {
    if (step == 1) begin = Seconds();  // The first step warms up.
    std::vector<Runner::Part> parts;
    for (int s = 0; s < streams; ++s) {
      next[s] =
          static_cast<std::int32_t>((step * 31 + s * 17 + 5) % runner.vocab());
      parts.push_back({&sequences[s], {&next[s], 1}});
    }
    RETURN_IF_ERROR(runner.Step(parts).status());
  }
  const double rate = 1.0 * streams * steps / (Seconds() - begin);
  for (Runner::Sequence& sequence : sequences) runner.Release(sequence);
  return rate;
}

template <typename F>
absl::StatusOr<double> Median(F measure) {
  std::vector<double> values;
  for (int i = 0; i < absl::GetFlag(FLAGS_repeats); ++i) {
    ASSIGN_OR_RETURN(const double value, measure());
    values.push_back(value);
  }
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

absl::Status Run() {
  RETURN_IF_ERROR(UseCpuLevelOfEnvironment());
  ASSIGN_OR_RETURN(const int threads,
                   ThreadCount(absl::GetFlag(FLAGS_threads)));
  const int prompt = absl::GetFlag(FLAGS_prompt);
  const int steps = absl::GetFlag(FLAGS_steps);
  const std::string directory = absl::GetFlag(FLAGS_model);
  if (directory.empty()) {
    return absl::InvalidArgumentError("--model is missing: name a directory");
  }
  ASSIGN_OR_RETURN(const ModelConfig config, LoadModelConfig(directory));
  RETURN_IF_ERROR(
      CheckFromTo("repeats", absl::GetFlag(FLAGS_repeats), 1, 1000));
  // Within the model's context and the maximum rows of a step.
  RETURN_IF_ERROR(
      CheckFromTo("prompt", prompt, 1, std::min(config.max_context, 1 << 15)));
  RETURN_IF_ERROR(CheckFromTo(
      "steps", steps, 1, std::max(1, config.max_context - kDecodePrompt - 1)));
  std::vector<int> streams;
  for (const absl::string_view part :
       absl::StrSplit(absl::GetFlag(FLAGS_streams), ',', absl::SkipEmpty())) {
    int count = 0;
    if (!absl::SimpleAtoi(part, &count) || count < 1 || count > 256) {
      return absl::InvalidArgumentError(
          absl::StrCat("--streams has \"", part,
                       "\"; it must be comma-separated numbers from 1 to 256"));
    }
    streams.push_back(count);
  }
  std::printf("%s, %d threads; tokens/s, medians of %d\n",
              CpuLevelName(CurrentCpuLevel()), threads,
              absl::GetFlag(FLAGS_repeats));
  std::printf("%-10s %11s", "weights", "prefill");
  for (const int count : streams) std::printf("  decode x%-3d", count);
  std::printf("\n");
  for (const absl::string_view name :
       absl::StrSplit(absl::GetFlag(FLAGS_weights), ',')) {
    ASSIGN_OR_RETURN(const std::optional<WeightFormat> format,
                     ParseWeights({name.data(), name.size()}));
    ASSIGN_OR_RETURN(const OpenModel model,
                     OpenModelDirectory(directory, format));
    ASSIGN_OR_RETURN(const std::unique_ptr<Runner> runner,
                     Runner::Create(model, threads, 1024));
    RETURN_IF_ERROR(Prefill(*runner, prompt).status());  // Warms up.
    ASSIGN_OR_RETURN(const double prefill,
                     Median([&] { return Prefill(*runner, prompt); }));
    std::printf("%-10s %11.1f", std::string(name).c_str(), prefill);
    for (const int count : streams) {
      std::fflush(stdout);
      ASSIGN_OR_RETURN(const double decode,
                       Median([&] { return Decode(*runner, count, steps); }));
      std::printf(" %11.1f", decode);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Measures tokens per second of the engine's arithmetic by weight "
      "format.\n"
      "Example: engine_benchmark --model DIR --weights int8,int4");
  absl::ParseCommandLine(argc, argv);
  const absl::Status status = apollo::Run();
  if (!status.ok()) {
    std::fprintf(stderr, "engine_benchmark: %s\n",
                 std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
