// tokenizer_benchmark TOKENIZER_JSON PARAGRAPHS_JSON
//
// Prints one JSON line: load_s and ids, a checksum (the sum of all ids) for the
// comparison with other tokenizers. Then each line read from standard input
// runs one timed pass over all paragraphs on one thread and prints its seconds,
// so that a script can run passes of several tokenizers in turns.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <time.h>

#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/mapped_file.h"
#include "model/tokenizer/tokenizer.h"

namespace apollo {
namespace {

// Returns the CPU time of this thread, the only one. On a busy machine it
// reflects the cost better than wall time.
double Now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         1e-9 * static_cast<double>(time.tv_nsec);
}

struct Totals {
  std::int64_t tokens = 0;
  std::int64_t sum = 0;
};

absl::StatusOr<Totals> Pass(const Tokenizer& tokenizer,
                            const std::vector<std::string>& paragraphs) {
  Totals totals;
  for (const std::string& paragraph : paragraphs) {
    const auto ids = tokenizer.Encode(paragraph, SpecialText::kPlain);
    if (!ids.ok()) return ids.status();
    totals.tokens += static_cast<std::int64_t>(ids->size());
    for (const TokenId id : *ids) totals.sum += id;
  }
  return totals;
}

int Fail(const absl::Status& status) {
  std::cerr << status << "\n";
  return 1;
}

int Main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: tokenizer_benchmark TOKENIZER_JSON PARAGRAPHS_JSON\n";
    return 2;
  }
  const double start = Now();
  const auto tokenizer = Tokenizer::Load(argv[1]);
  const double load = Now() - start;
  if (!tokenizer.ok()) return Fail(tokenizer.status());
  const auto text = ReadFile(argv[2], std::size_t{1} << 30);
  if (!text.ok()) return Fail(text.status());
  const auto json = ParseJson(*text, argv[2]);
  if (!json.ok()) return Fail(json.status());
  std::vector<std::string> paragraphs;
  for (const auto& paragraph : *json) {
    if (!paragraph.is_string()) {
      return Fail(absl::InvalidArgumentError("expected an array of strings"));
    }
    paragraphs.push_back(paragraph.get<std::string>());
  }
  const auto totals = Pass(**tokenizer, paragraphs);
  if (!totals.ok()) return Fail(totals.status());
  std::cout << Json{{"load_s", load},
                    {"tokens", totals->tokens},
                    {"sum", totals->sum}}
                   .dump()
            << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
    const double begin = Now();
    const auto pass = Pass(**tokenizer, paragraphs);
    const double seconds = Now() - begin;
    if (!pass.ok() || pass->sum != totals->sum) return 1;
    std::cout << seconds << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) { return apollo::Main(argc, argv); }
