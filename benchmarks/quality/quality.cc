// How far each format of the weights moves the model's predictions from those in
// float32, token by token of a text.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/usage.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "benchmarks/engine/runner.h"
#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "kernels/cpu_level.h"
#include "kernels/logits.h"
#include "model/tokenizer/tokenizer.h"

ABSL_FLAG(std::string, model, "", "Directory of the model (required).");
ABSL_FLAG(std::string, texts,
          "benchmarks/quality/text.txt,tests/golden/demo/text.txt",
          "Text files, with commas.");
ABSL_FLAG(int, tokens, 2048, "Most tokens of each text.");
ABSL_FLAG(int, window, 512, "Tokens that are fed together, from nothing.");
ABSL_FLAG(std::string, weights, "bf16,int8,int4",
          "Formats to compare with float32, as --weights of the workers.");
ABSL_FLAG(int, threads, 0, "Threads; 0: one for each processor.");

namespace apollo {
namespace {

// Over the tokens of a text.
struct Difference {
  std::vector<double> kl;  // Nats, of each prediction.
  int same_choice = 0;     // Predictions whose likeliest token is the same.
};

void Compare(const float* exact, const float* other, int vocab,
             Difference& difference) {
  const double exact_sum = LogSumExp(exact, vocab);
  const double other_sum = LogSumExp(other, vocab);
  double kl = 0;
  for (int t = 0; t < vocab; ++t) {
    const double log_p = exact[t] - exact_sum;
    if (log_p < -40) continue;  // Less than 1e-17 in all.
    kl += std::exp(log_p) * (log_p - (other[t] - other_sum));
  }
  difference.kl.push_back(kl);
  if (ArgMax(exact, vocab) == ArgMax(other, vocab)) ++difference.same_choice;
}

// Logits of every token of the window.  // [tokens, vocab]
absl::StatusOr<std::span<const float>> Feed(
    Runner& runner, std::span<const std::int32_t> tokens) {
  Runner::Sequence sequence;
  ASSIGN_OR_RETURN(const std::span<const float> logits,
                   runner.Step({{&sequence, tokens, /*all_logits=*/true}}));
  runner.Release(sequence);
  return logits;
}

void Print(const std::string& format, const std::string& text,
           Difference& difference) {
  std::sort(difference.kl.begin(), difference.kl.end());
  double sum = 0;
  for (const double kl : difference.kl) sum += kl;
  const std::size_t count = difference.kl.size();
  std::printf("%-8s %-36s %7zu %10.6f %10.6f %9.2f%%\n", format.c_str(),
              text.c_str(), count, sum / count,
              difference.kl[count * 99 / 100],
              100.0 * difference.same_choice / count);
  std::fflush(stdout);
}

absl::StatusOr<std::unique_ptr<Runner>> Load(
    const OpenModel& model, int threads) {
  return Runner::Create(model, threads, 512);
}

absl::Status Run() {
  RETURN_IF_ERROR(UseCpuLevelOfEnvironment());
  ASSIGN_OR_RETURN(const int threads, ThreadCount(absl::GetFlag(FLAGS_threads)));
  const std::string directory = absl::GetFlag(FLAGS_model);
  if (absl::GetFlag(FLAGS_window) < 1 || absl::GetFlag(FLAGS_window) > 4096 ||
      absl::GetFlag(FLAGS_tokens) < 1) {
    return absl::InvalidArgumentError(
        "--tokens must be at least 1 and --window from 1 to 4096");
  }
  const std::size_t window = absl::GetFlag(FLAGS_window);
  ASSIGN_OR_RETURN(const OpenModel exact_model,
                   OpenModelDirectory(directory, WeightFormat::kF32));
  ASSIGN_OR_RETURN(const std::unique_ptr<Runner> exact,
                   Load(exact_model, threads));
  ASSIGN_OR_RETURN(const std::unique_ptr<const Tokenizer> tokenizer,
                   Tokenizer::Load(directory + "/tokenizer.json"));
  std::printf("%s; KL divergence from float32 in nats\n",
              CpuLevelName(CurrentCpuLevel()));
  std::printf("%-8s %-36s %7s %10s %10s %10s\n", "weights", "text", "tokens",
              "mean KL", "p99 KL", "same top");
  for (const absl::string_view format :
       absl::StrSplit(absl::GetFlag(FLAGS_weights), ',')) {
    const std::string name(format);
    ASSIGN_OR_RETURN(const auto weights, ParseWeights(name));
    ASSIGN_OR_RETURN(const OpenModel model,
                     OpenModelDirectory(directory, weights));
    ASSIGN_OR_RETURN(const std::unique_ptr<Runner> runner,
                     Load(model, threads));
    Difference all;
    for (const absl::string_view path :
         absl::StrSplit(absl::GetFlag(FLAGS_texts), ',')) {
      ASSIGN_OR_RETURN(const std::string text,
                       ReadFile(std::string(path), 16 << 20));
      ASSIGN_OR_RETURN(std::vector<TokenId> tokens,
                       tokenizer->Encode(text, SpecialText::kPlain));
      if (tokens.size() >
          static_cast<std::size_t>(absl::GetFlag(FLAGS_tokens))) {
        tokens.resize(absl::GetFlag(FLAGS_tokens));
      }
      Difference difference;
      for (std::size_t at = 0; at < tokens.size(); at += window) {
        const std::vector<std::int32_t> part(
            tokens.begin() + at,
            tokens.begin() + std::min(tokens.size(), at + window));
        ASSIGN_OR_RETURN(const std::span<const float> a, Feed(*exact, part));
        ASSIGN_OR_RETURN(const std::span<const float> b, Feed(*runner, part));
        const std::size_t vocab = runner->vocab();
        for (std::size_t r = 0; r < part.size(); ++r) {
          Compare(&a[r * vocab], &b[r * vocab], runner->vocab(), difference);
        }
      }
      all.kl.insert(all.kl.end(), difference.kl.begin(), difference.kl.end());
      all.same_choice += difference.same_choice;
      Print(name, std::string(path), difference);
    }
    Print(name, "all", all);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "How far each format of the weights moves a model's predictions.\n"
      "Example: quality --model DIR --weights int8,int4");
  absl::ParseCommandLine(argc, argv);
  const absl::Status status = apollo::Run();
  if (!status.ok()) {
    std::fprintf(stderr, "quality: %s\n",
                 std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
