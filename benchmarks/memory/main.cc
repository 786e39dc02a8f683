// Measures the memory bandwidth of all threads together, which limits the
// decoding of one stream. Uses memory and threads like those of the kernels.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "common/aligned_buffer.h"
#include "common/json.h"
#include "common/thread_pool.h"
#include "serving/help.h"

ABSL_FLAG(int, megabytes, 256,
          "Size of the memory that is read, in 10^6 bytes; for example that of "
          "a model's weights.");
ABSL_FLAG(int, threads, 2, "Threads; each reads its part.");
ABSL_FLAG(int, rounds, 9, "Number of measurements; the median is printed.");

namespace {

// Eight accumulators, so that additions do not wait for each other.
std::uint64_t Sum(const std::uint64_t* numbers, std::size_t count) {
  std::uint64_t sums[8] = {};
  for (std::size_t i = 0; i + 8 <= count; i += 8) {
    for (int j = 0; j < 8; ++j) sums[j] += numbers[i + j];
  }
  std::uint64_t sum = 0;
  for (std::uint64_t part : sums) sum += part;
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  apollo::SetHelp(
      "Measures the memory bandwidth of all threads together and prints it as "
      "JSON:\n{\"bytes_per_second\"}.\n"
      "Example: memory_bandwidth --megabytes 136 --threads 2");
  absl::ParseCommandLine(argc, argv);
  const int threads = absl::GetFlag(FLAGS_threads);
  const int megabytes = absl::GetFlag(FLAGS_megabytes);
  const int rounds = absl::GetFlag(FLAGS_rounds);
  if (threads < 1 || threads > 1024 || megabytes < 1 || megabytes > 65536 ||
      rounds < 1 || rounds > 1000) {
    std::fprintf(
        stderr,
        "memory_bandwidth: --threads must be from 1 to 1024, --megabytes "
        "from 1 to 65536, --rounds from 1 to 1000\n");
    return 1;
  }
  const std::size_t count = megabytes * 1'000'000ull / 8;
  apollo::AlignedBuffer buffer(count * 8);
  if (!buffer.status().ok()) {
    std::fprintf(stderr, "memory_bandwidth: %s\n",
                 std::string(buffer.status().message()).c_str());
    return 1;
  }
  auto* const numbers = buffer.as<std::uint64_t>();
  // Allocates the physical memory.
  std::fill(numbers, numbers + count, 1);
  apollo::ThreadPool pool(threads);
  std::vector<double> speeds;
  std::atomic<std::uint64_t> sum = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    pool.ParallelFor(static_cast<std::int64_t>(count), 1 << 15,
                     [&](std::int64_t begin, std::int64_t end) {
                       sum += Sum(numbers + begin, end - begin);
                     });
    const std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - start;
    speeds.push_back(static_cast<double>(count * 8) / time.count());
  }
  std::sort(speeds.begin(), speeds.end());
  // The sum is printed so that the compiler must compute it.
  std::printf("%s\n",
              apollo::Json{{"bytes_per_second", speeds[speeds.size() / 2]},
                           {"megabytes", megabytes},
                           {"threads", threads},
                           {"sum", sum.load()}}
                  .dump()
                  .c_str());
  return 0;
}
