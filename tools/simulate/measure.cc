// Measures the times of the stages of a model on this machine, for scenarios of
// tools/simulate. See --help.

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/json.h"
#include "common/status_macros.h"
#include "common/thread_count.h"
#include "common/thread_pool.h"
#include "engine/cache_options.h"
#include "engine/cpu/cpu_dense_stage.h"
#include "engine/cpu/cpu_expert_stage.h"
#include "kernels/cpu_level.h"
#include "model/weights/open_model.h"
#include "model/weights/weight_names.h"

namespace apollo::simulate {
namespace {

struct Options {
  std::string model;
  std::string out;
  std::string weights = "auto";
  int threads = 0;
  int context = 128;
  int repeats = 7;
  bool cpu_time = false;
  std::vector<int> rows = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
};

constexpr int kMostSequences = 64;

// Rows of a step: one of each of up to 64 sequences, as when they decode; more
// rows are prompts of that many sequences.
struct Shape {
  explicit Shape(int rows) : sequences(std::min(rows, kMostSequences)) {
    for (int s = 0; s < sequences; ++s) {
      each.push_back(rows / sequences + (s < rows % sequences));
    }
  }
  int sequences;
  std::vector<int> each;
};

// Both stages of a model, with their sequences. The expert stage holds one
// expert: a layer without it is attention, and guests go through it alone.
class Meter {
 public:
  static absl::StatusOr<std::unique_ptr<Meter>> Create(const OpenModel& model,
                                                       int threads,
                                                       const Options& options) {
    auto meter = std::unique_ptr<Meter>(new Meter(model, threads, options));
    ASSIGN_OR_RETURN(const CacheOptions cache,
                     ParseCacheOptions(1024, "auto", model.format));
    ASSIGN_OR_RETURN(meter->dense_,
                     CpuDenseStage::Load(model.config, *model.weights, cache,
                                         meter->pool_, nullptr));
    ASSIGN_OR_RETURN(meter->attention_,
                     CpuExpertStage::Load(model.config, *model.weights, {},
                                          cache, meter->pool_, nullptr));
    ASSIGN_OR_RETURN(meter->expert_,
                     CpuExpertStage::Load(model.config, *model.weights, {0},
                                          cache, meter->pool_, nullptr));
    return meter;
  }

  absl::StatusOr<double> Dense(int rows) {
    const Shape shape(rows);
    std::vector<BlockTable> tables(shape.sequences);
    RETURN_IF_ERROR(Extend(dense_->blocks(), shape, tables));
    const double seconds = Median([&] {
      DenseStep step;
      for (int s = 0; s < shape.sequences; ++s) {
        step.slices.push_back({&tables[s], options_.context, shape.each[s], 0});
      }
      for (int r = 0; r < rows; ++r) {
        step.tokens.push_back((r * 7919 + 17) % config_.vocab_size);
      }
      const double begin = Now();
      dense_->Forward(std::move(step), [](Rows) {});
      return Now() - begin;
    });
    for (BlockTable& table : tables) dense_->blocks().Release(table);
    return seconds;
  }

  // One layer, for which all rows go away; and the end of a step.
  absl::StatusOr<double> Attention(int rows) {
    return RunStep(rows, [&](ExpertStep& step, double& seconds) {
      const double begin = Now();
      attention_->RunLayer(
          step, config_.boundary, {}, [](std::vector<AbsentRows>) {},
          [](std::vector<Rows>) {});
      seconds = Now() - begin;
    });
  }
  absl::StatusOr<double> Head(int sequences) {
    return RunStep(sequences, [&](ExpertStep& step, double& seconds) {
      std::vector<TokenRequest> requests(sequences);
      for (int s = 0; s < sequences; ++s) {
        requests[s].slice = s;
        requests[s].sample = true;
      }
      const double begin = Now();
      attention_->Finish(step, std::move(requests),
                         [](std::vector<SliceOutcome>) {});
      seconds = Now() - begin;
    });
  }

  double Expert(int rows) {
    return Median([&] {
      std::vector<GuestRows> guests(1);
      guests[0].rows = Boundary(rows);
      const double begin = Now();
      expert_->RunExperts(config_.boundary, std::move(guests),
                          [](std::vector<Rows>) {});
      return Now() - begin;
    });
  }

 private:
  Meter(const OpenModel& model, int threads, const Options& options)
      : config_(model.config), options_(options), pool_(threads) {}

  double Now() const {
    if (options_.cpu_time) {
      timespec time;
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
      return static_cast<double>(time.tv_sec) +
             1e-9 * static_cast<double>(time.tv_nsec);
    }
    return std::chrono::duration<double>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  // The first run warms up.
  template <typename F>
  double Median(F run) {
    std::vector<double> seconds;
    for (int i = 0; i <= options_.repeats; ++i) seconds.push_back(run());
    seconds.erase(seconds.begin());
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
  }
  absl::Status Extend(BlockPool& blocks, const Shape& shape,
                      std::vector<BlockTable>& tables) const {
    for (int s = 0; s < shape.sequences; ++s) {
      if (!blocks.Extend(tables[s],
                         BlocksFor(options_.context + shape.each[s]))) {
        return absl::ResourceExhaustedError(absl::StrCat(
            "a cache of 1024 MB does not hold ", shape.sequences,
            " sequences of ", options_.context, " tokens; lower --context"));
      }
    }
    return absl::OkStatus();
  }
  Rows Boundary(int rows) const {
    std::vector<float> numbers(static_cast<std::size_t>(rows) *
                               static_cast<std::size_t>(config_.hidden_size));
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      numbers[i] = static_cast<float>(i * 7919 % 2001) / 1000 - 1;
    }
    return Rows::FromVector(std::move(numbers), config_.hidden_size);
  }
  template <typename F>
  absl::StatusOr<double> RunStep(int rows, F run) {
    const Shape shape(rows);
    std::vector<BlockTable> tables(shape.sequences);
    RETURN_IF_ERROR(Extend(attention_->blocks(), shape, tables));
    const double seconds = Median([&] {
      std::vector<ExpertSlice> slices(shape.sequences);
      for (int s = 0; s < shape.sequences; ++s) {
        slices[s].blocks = &tables[s];
        slices[s].first_position = options_.context;
        slices[s].boundary = Boundary(shape.each[s]);
      }
      const auto step = attention_->Begin(std::move(slices));
      double result = 0;
      run(*step, result);
      return result;
    });
    for (BlockTable& table : tables) attention_->blocks().Release(table);
    return seconds;
  }

  const ModelConfig config_;
  const Options& options_;
  ThreadPool pool_;
  std::unique_ptr<CpuDenseStage> dense_;
  std::unique_ptr<CpuExpertStage> attention_, expert_;
};

absl::StatusOr<Json> Measure(const Options& options) {
  RETURN_IF_ERROR(UseCpuLevelOfEnvironment());
  ASSIGN_OR_RETURN(const int threads, ThreadCount(options.threads));
  ASSIGN_OR_RETURN(const std::optional<WeightFormat> format,
                   ParseWeights(options.weights));
  ASSIGN_OR_RETURN(const OpenModel model,
                   OpenModelDirectory(options.model, format));
  if (model.config.is_dense()) {
    return absl::InvalidArgumentError(
        options.model + " has no experts; the simulation needs a model with");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Meter> meter,
                   Meter::Create(model, threads, options));
  Json times = {{"comment", absl::StrCat(CpuLevelName(CurrentCpuLevel()),
                                         ", weights ", options.weights)},
                {"threads", threads}};
  for (std::size_t i = 1; i < options.rows.size(); ++i) {
    if (options.rows[i] > options.rows[i - 1]) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("--rows has ", options.rows[i], " after ",
                     options.rows[i - 1], "; the numbers must rise"));
  }
  if (options.cpu_time && threads != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("--cpu_time needs --threads=1, but there are ", threads));
  }
  for (const int rows : options.rows) {
    ASSIGN_OR_RETURN(const double dense, meter->Dense(rows));
    ASSIGN_OR_RETURN(const double attention, meter->Attention(rows));
    times["dense"].push_back({rows, dense});
    times["attention"].push_back({rows, attention});
    times["expert"].push_back({rows, meter->Expert(rows)});
    if (rows > kMostSequences) continue;
    ASSIGN_OR_RETURN(const double head, meter->Head(rows));
    times["head"].push_back({rows, head});
  }
  return times;
}

absl::Status Run(const Options& options) {
  ASSIGN_OR_RETURN(const Json times, Measure(options));
  std::ofstream file(options.out);
  file << times.dump() << "\n";
  file.close();
  if (file) return absl::OkStatus();
  return absl::UnknownError("cannot write " + options.out);
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Measures the times of the stages of a model on this machine, by rows, "
      "and writes\nthem as JSON for the scenarios of tools/simulate. Nothing "
      "else should run.\nExample: measure --model DIR --out times.json",
      "measure");
  Options options;
  app.add_option("--model", options.model, "Directory of the model.")
      ->required();
  app.add_option("--out", options.out, "File to write.")->required();
  app.add_option("--weights", options.weights,
                 "Format of the weights, as of the workers.");
  app.add_option("--threads", options.threads, "Threads; 0: one per CPU.");
  app.add_option("--context", options.context,
                 "Tokens before the rows, in each sequence.")
      ->check(CLI::Range(0, 1 << 17));
  app.add_option("--repeats", options.repeats,
                 "Runs of each measurement, of which the median counts.")
      ->check(CLI::Range(1, 1000));
  app.add_flag("--cpu_time", options.cpu_time,
               "Measure CPU time instead of wall time; with one thread it is "
               "more reliable on a busy machine.");
  app.add_option(
         "--rows", options.rows,
         "Comma-separated numbers of rows, rising. The head is measured "
         "up to 64.")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096));
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = Run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "measure: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace apollo::simulate

int main(int argc, char** argv) { return apollo::simulate::Main(argc, argv); }
