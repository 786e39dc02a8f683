// How fast all threads together read memory: the limit of decoding one stream.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

#include "common/json.h"
#include "serving/help.h"

ABSL_FLAG(int, megabytes, 256,
          "Of 10^6 bytes; what is read: a model's weights.");
ABSL_FLAG(int, threads, 2, "Each reads its part.");
ABSL_FLAG(int, rounds, 9, "The median of so many counts.");

namespace {

// Eight sums, so that no addition waits for the one before.
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
      "How fast all threads together read memory, as JSON: "
      "{\"bytes_per_second\"}.\n"
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
  // Written once, so that the memory is really there.
  const std::size_t part = megabytes * 1'000'000ull / 8 / threads;
  std::vector<std::uint64_t> numbers(part * threads, 1);
  std::vector<double> speeds;
  std::uint64_t sum = 0;
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::uint64_t> sums(threads);
    std::vector<std::thread> running;
    const auto start = std::chrono::steady_clock::now();
    for (int t = 0; t < threads; ++t) {
      running.emplace_back(
          [&, t] { sums[t] = Sum(numbers.data() + t * part, part); });
    }
    for (std::thread& thread : running) thread.join();
    const std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - start;
    for (std::uint64_t s : sums) sum += s;
    speeds.push_back(static_cast<double>(numbers.size() * 8) / time.count());
  }
  std::sort(speeds.begin(), speeds.end());
  // The sum is printed so that the compiler must compute it.
  std::printf("%s\n",
              apollo::Json{{"bytes_per_second", speeds[speeds.size() / 2]},
                           {"megabytes", megabytes},
                           {"threads", threads},
                           {"sum", sum}}
                  .dump()
                  .c_str());
  return 0;
}
