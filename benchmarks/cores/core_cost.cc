// Measures the processor time that the cores of dense and expert workers take
// besides the computation: admission, steps, batches, and the dispatch of rows
// to a peer. Stages compute nothing, and links deliver at once.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/usage.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "benchmarks/cores/free_stages.h"
#include "common/check.h"
#include "dense_worker/dense_core.h"
#include "dense_worker/routing_log.h"
#include "expert_worker/expert_core.h"
#include "model/language/families.h"

ABSL_FLAG(int, steps, 300, "Steps of each measurement.");

namespace apollo {
namespace {

constexpr int kPrompt = 32;
constexpr int kSequences[] = {1, 16, 64, 256};
constexpr LinkId kDense = 1, kExpert = 2, kPeer = 3;

ModelConfig Config() {
  ModelConfig config;
  config.hidden_size = 896;
  config.num_layers = 24;
  config.boundary = 22;
  config.num_experts = 7;
  config.experts_per_token = 2;
  config.vocab_size = 1000;
  config.max_context = 4096;
  config.eos_tokens = {999};
  return config;
}

// Adds up the processor time of this thread while it runs.
class Stopwatch {
 public:
  void Start() { begin_ = Now(); }
  void Stop() { sum_ += Now() - begin_; }
  double microseconds() const { return sum_; }

 private:
  static double Now() {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 +
           static_cast<double>(time.tv_nsec) / 1e3;
  }
  double begin_ = 0, sum_ = 0;
};

class KeepingLink final : public Link {
 public:
  void Send(Frame frame) override { frames.push_back(std::move(frame)); }
  void Close() override {}
  std::deque<Frame> frames;
};

class CountingSink final : public GenerationSink {
 public:
  explicit CountingSink(std::int64_t& tokens) : tokens_(tokens) {}
  void OnStarted(const GenerationStarted& /*started*/) override {}
  void OnToken(const GeneratedToken& /*token*/) override { ++tokens_; }
  void OnFinished(absl::StatusOr<GenerationFinished> /*finished*/) override {}

 private:
  std::int64_t& tokens_;
};

StageResult AnswerTo(const StageStep& step) {
  StageResult result;
  result.step = step.step;
  for (const SequenceRows& rows : step.sequences) {
    SequenceOutput& output = result.outputs.emplace_back();
    output.sequence = rows.sequence;
    output.attempt = rows.attempt;
    output.position =
        rows.first_position + static_cast<int>(rows.tokens.size()) - 1;
    output.expert_use.resize(14);
    output.off_family.resize(2);
    if (rows.sample) output.sampled = TokenLogprob{1, -1.0f};
  }
  return result;
}

struct DenseCosts {
  double admission = 0, step = 0;  // Microseconds.
};

DenseCosts MeasureDense(int sequences, int steps) {
  const ModelConfig config = Config();
  RoutingLog routing(config, LanguageLabels(FamilyTable::Paper()),
                     Clock::Real());
  DenseCore::Options options;
  options.scheduler.max_running = sequences;
  DenseCore core(options, std::make_unique<FreeDenseStage>(config, 1 << 16),
                 routing);
  const auto link = std::make_shared<KeepingLink>();
  WorkerInfo info;
  info.role = WorkerRole::kExpert;
  info.name = "e";
  info.resident = info.reaches = LayerExperts{0, 1, 2, 3, 4, 5, 6};
  core.LinkUp(kExpert, info, link);
  info.ready = true;
  ++info.revision;
  core.LinkFrame(kExpert, {info});
  // Returns false if there was nothing to do.
  const auto turn = [&](Stopwatch& watch) {
    watch.Start();
    while (core.HasWork()) core.Advance();
    watch.Stop();
    bool any = false;
    for (; !link->frames.empty(); link->frames.pop_front()) {
      const auto* step = std::get_if<StageStep>(&link->frames.front().body);
      if (step == nullptr) continue;
      any = true;
      Frame answer = {AnswerTo(*step)};
      watch.Start();
      core.LinkFrame(kExpert, std::move(answer));
      watch.Stop();
    }
    return any;
  };
  std::int64_t tokens = 0;
  Stopwatch admission, decode;
  for (int s = 0; s < sequences; ++s) {
    GenerationRequest request;
    for (int i = 0; i < kPrompt; ++i) request.prompt.push_back(s + i);
    request.max_new_tokens = 4000;
    admission.Start();
    core.Submit(static_cast<SequenceId>(s + 1), std::move(request),
                std::make_shared<CountingSink>(tokens));
    admission.Stop();
  }
  const auto prompts = [&core] { return core.queued_rows() > 0; };
  while (prompts() && turn(admission)) {
  }
  tokens = 0;
  for (int i = 0; i < steps; ++i) turn(decode);
  APOLLO_CHECK(tokens > 0);
  // A step is one token of each sequence, in however many turns they came.
  return {admission.microseconds() / sequences,
          decode.microseconds() * sequences / static_cast<double>(tokens)};
}

// Returns the microseconds of a batch with one row of each sequence.
double MeasureExpert(int sequences, bool away, int steps) {
  ExpertCore::Options options;
  options.self.name = "e";
  ExpertCore core(options,
                  std::make_unique<FreeExpertStage>(Config(), !away, 1 << 16));
  const auto dense = std::make_shared<KeepingLink>();
  const auto peer = std::make_shared<KeepingLink>();
  core.LinkUp(kDense, {WorkerRole::kDense, "d"}, dense);
  WorkerInfo info;
  info.role = WorkerRole::kExpert;
  info.name = "p";
  info.resident = info.reaches = LayerExperts{6};
  core.LinkUp(kPeer, info, peer);
  info.ready = true;
  ++info.revision;
  core.LinkFrame(kPeer, {info});
  Stopwatch watch;
  for (int position = 0; position < steps; ++position) {
    StageStep step;
    step.step = static_cast<std::uint64_t>(position + 1);
    for (int s = 0; s < sequences; ++s) {
      SequenceRows& rows = step.sequences.emplace_back();
      rows.sequence = static_cast<std::uint64_t>(s + 1);
      rows.attempt = 1;
      rows.first_position = position;
      rows.tokens = {1};
      rows.sample = true;
      if (position == 0) rows.start = SequenceStart{-1, false, {}, 1, 0};
    }
    Frame frame = {std::move(step), Rows::Host(sequences, 896)};
    watch.Start();
    core.LinkFrame(kDense, std::move(frame));
    while (core.HasWork()) core.Advance();
    watch.Stop();
    while (!peer->frames.empty()) {
      Frame sent = std::move(peer->frames.front());
      peer->frames.pop_front();
      const auto* rows = std::get_if<ExpertRows>(&sent.body);
      if (rows == nullptr) continue;
      Frame outputs = {ExpertOutputs{rows->ticket, {}},
                       std::move(sent.payload)};
      watch.Start();
      core.LinkFrame(kPeer, std::move(outputs));
      while (core.HasWork()) core.Advance();
      watch.Stop();
    }
    APOLLO_CHECK(dense->frames.size() >= 1);
    dense->frames.clear();
  }
  return watch.microseconds() / steps;
}

void Run() {
  const int steps = absl::GetFlag(FLAGS_steps);
  std::printf("%-10s %14s %12s %12s %18s\n", "sequences", "us/admission",
              "us/step", "us/batch", "us/batch, away");
  for (const int sequences : kSequences) {
    const DenseCosts dense = MeasureDense(sequences, steps);
    std::printf("%-10d %14.1f %12.1f %12.1f %18.1f\n", sequences,
                dense.admission, dense.step,
                MeasureExpert(sequences, /*away=*/false, steps),
                MeasureExpert(sequences, /*away=*/true, steps));
  }
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Measures the processor time of the cores of dense and expert workers.");
  absl::ParseCommandLine(argc, argv);
  if (absl::GetFlag(FLAGS_steps) < 1 || absl::GetFlag(FLAGS_steps) > 3000) {
    std::fprintf(stderr,
                 "core_cost: --steps is %d; it must be from 1 to 3000\n",
                 absl::GetFlag(FLAGS_steps));
    return 1;
  }
  apollo::Run();
  return 0;
}
