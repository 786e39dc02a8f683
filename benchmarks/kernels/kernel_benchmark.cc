// Measures the speed of matrix products by weight format, instruction set and
// number of rows, compared with the peaks of the machine: GB/s of weights read
// for one row, GOPS (10^9 multiplications and additions per second) for more.
// Each product uses the next of many matrices, so that weights come from
// memory, as in decoding.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/usage.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "benchmarks/kernels/peaks.h"
#include "common/aligned_buffer.h"
#include "common/status_macros.h"
#include "common/thread_count.h"
#include "kernels/cpu_level.h"
#include "kernels/matmul.h"
#include "kernels/weight_format.h"
#include "serving/flag_checks.h"

ABSL_FLAG(int, threads, 0, "Threads; 0: one per CPU.");
ABSL_FLAG(int, outputs, 1536, "Outputs of a matrix.");
ABSL_FLAG(int, inputs, 1536, "Inputs of a matrix.");
ABSL_FLAG(
    int, megabytes, 256,
    "Total size of the matrices of a format, as stored; should exceed the "
    "CPU caches.");
ABSL_FLAG(int, repeats, 3, "Runs of each measurement; the median is printed.");
ABSL_FLAG(
    bool, cpu_time, false,
    "Measure CPU time, summed over threads, instead of wall time; with one "
    "thread it is more reliable on a busy machine.");

namespace apollo {
namespace {

constexpr int kRows[] = {8, 32, 512};

double Seconds() {
  timespec time;
  clock_gettime(absl::GetFlag(FLAGS_cpu_time) ? CLOCK_PROCESS_CPUTIME_ID
                                              : CLOCK_MONOTONIC,
                &time);
  return static_cast<double>(time.tv_sec) +
         1e-9 * static_cast<double>(time.tv_nsec);
}

// Returns the median seconds of a call. Each measurement takes at least some
// milliseconds.
double Time(const std::function<void()>& work) {
  work();
  int calls = 1;
  std::vector<double> seconds;
  while (static_cast<int>(seconds.size()) < absl::GetFlag(FLAGS_repeats)) {
    const double begin = Seconds();
    for (int i = 0; i < calls; ++i) work();
    const double spent = Seconds() - begin;
    if (spent < 0.02 && calls < (1 << 20)) {
      calls *= 2;
      continue;
    }
    seconds.push_back(spent / calls);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

// Returns matrices of --megabytes in total in this format, at least two.
absl::StatusOr<std::vector<PackedMatrix>> Matrices(WeightFormat format,
                                                   ThreadPool& pool) {
  const int outputs = absl::GetFlag(FLAGS_outputs);
  const int inputs = absl::GetFlag(FLAGS_inputs);
  // Each has its own pages.
  const std::int64_t one = std::max<std::int64_t>(
      4096, PackedMatrix::Bytes(outputs, inputs, format));
  const std::int64_t count = std::max<std::int64_t>(
      2, (std::int64_t{absl::GetFlag(FLAGS_megabytes)} << 20) / one);
  std::vector<PackedMatrix> matrices;
  for (std::int64_t m = 0; m < count; ++m) {
    PackedMatrix& matrix = matrices.emplace_back(outputs, inputs, format);
    if (matrix.data() == nullptr) {
      return NoMemory(static_cast<std::size_t>(one), "a matrix (--megabytes)");
    }
    pool.ParallelFor(outputs, 64, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> row(inputs);
      for (std::int64_t o = begin; o < end; ++o) {
        for (int i = 0; i < inputs; ++i) {
          row[i] =
              static_cast<float>((i * 7919LL + o * 31 + m) % 201 - 100) / 100;
        }
        matrix.SetRows(static_cast<int>(o), 1, row.data());
      }
    });
  }
  return matrices;
}

absl::Status Run() {
  ASSIGN_OR_RETURN(const int threads,
                   ThreadCount(absl::GetFlag(FLAGS_threads)));
  const int outputs = absl::GetFlag(FLAGS_outputs);
  const int inputs = absl::GetFlag(FLAGS_inputs);
  RETURN_IF_ERROR(CheckFromTo("outputs", outputs, 1, 1 << 14));
  RETURN_IF_ERROR(CheckFromTo("inputs", inputs, 1, 1 << 14));
  RETURN_IF_ERROR(
      CheckFromTo("megabytes", absl::GetFlag(FLAGS_megabytes), 1, 1 << 14));
  RETURN_IF_ERROR(
      CheckFromTo("repeats", absl::GetFlag(FLAGS_repeats), 1, 1000));
  ThreadPool pool(threads);
  std::printf(
      "%d threads, matrices of %d x %d, %d MB per format, medians of %d\n",
      threads, outputs, inputs, absl::GetFlag(FLAGS_megabytes),
      absl::GetFlag(FLAGS_repeats));
  std::printf("peaks of the machine: reading memory %.1f GB/s",
              ReadPeak(pool, Time) / 1e9);
  for (const Peak& peak : ArithmeticPeaks()) {
    std::printf("; %s %.0f GOPS", peak.name, peak.Measure(pool, Time) / 1e9);
  }
  std::printf("\n%-12s %-8s %10s", "level", "weights", "1 row GB/s");
  for (const int rows : kRows) std::printf("  %3d rows GOPS", rows);
  std::printf("\n");

  std::vector<float> x(512 * static_cast<std::size_t>(inputs));
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(i * 2654435761u % 2001) / 1000 - 1;
  }
  std::vector<float> out(512 * static_cast<std::size_t>(outputs));
  for (const WeightFormatInfo& info : kWeightFormats) {
    ASSIGN_OR_RETURN(const std::vector<PackedMatrix> matrices,
                     Matrices(info.format, pool));
    for (const CpuLevel level : kCpuLevels) {
      if (level > BestCpuLevel()) break;
      UseCpuLevel(level);
      std::printf("%-12s %-8s", CpuLevelName(level), info.name);
      const double all = Time([&] {
        for (const PackedMatrix& w : matrices) {
          MatMul(x.data(), 1, inputs, w, nullptr, out.data(), outputs, pool);
        }
      });
      std::printf(" %10.1f",
                  static_cast<double>(matrices[0].bytes() * matrices.size()) /
                      all / 1e9);
      for (const int rows : kRows) {
        std::fflush(stdout);
        std::size_t next = 0;
        const double one = Time([&] {
          MatMul(x.data(), rows, inputs, matrices[next++ % matrices.size()],
                 nullptr, out.data(), outputs, pool);
        });
        std::printf(" %14.1f", 2.0 * rows * outputs * inputs / one / 1e9);
      }
      std::printf("\n");
    }
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Measures the speed of matrix products by format, level and rows.\n"
      "Example: kernel_benchmark --threads 2");
  absl::ParseCommandLine(argc, argv);
  const absl::Status status = apollo::Run();
  if (!status.ok()) {
    std::fprintf(stderr, "kernel_benchmark: %s\n",
                 std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
