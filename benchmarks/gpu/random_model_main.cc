// Writes a checkpoint with random weights. See --help.
#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/usage.h>

#include <cstdio>
#include <string>

#include "benchmarks/gpu/random_model.h"

ABSL_FLAG(std::string, shape, "0.5B", "0.5B, 7B or tiny.");
ABSL_FLAG(std::string, tokenizer, "tests/golden/wide/tokenizer.json",
          "Tokenizer with one token for each byte.");
ABSL_FLAG(std::string, out, "", "An existing folder (required).");

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Writes a checkpoint of a published shape with random weights, for "
      "measuring speed.\nExample: random_model --shape=7B --out=DIR");
  absl::ParseCommandLine(argc, argv);
  if (absl::GetFlag(FLAGS_out).empty()) {
    std::fprintf(stderr, "random_model: --out is missing: name a folder\n");
    return 2;
  }
  const absl::Status status = apollo::WriteRandomModel(
      absl::GetFlag(FLAGS_shape), absl::GetFlag(FLAGS_tokenizer),
      absl::GetFlag(FLAGS_out));
  if (status.ok()) return 0;
  std::fprintf(stderr, "random_model: %s\n",
               std::string(status.message()).c_str());
  return 1;
}
