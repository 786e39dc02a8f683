// Measures the divergence of the model's predictions in each weight format from
// those in float32, token by token. The cache has the default type for the
// format (--cache_dtype=auto). Exits with 1 if a format exceeds its limit.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/usage.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "benchmarks/engine/runner.h"
#include "benchmarks/quality/divergence.h"
#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "common/thread_count.h"
#include "kernels/cpu_level.h"
#include "model/tokenizer/tokenizer.h"
#include "model/weights/open_model.h"
#include "model/weights/weight_names.h"
#include "serving/flag_checks.h"

ABSL_FLAG(std::string, model, "", "Directory of the model (required).");
ABSL_FLAG(std::string, texts,
          "benchmarks/quality/text.txt,tests/golden/demo/text.txt",
          "Comma-separated text files.");
ABSL_FLAG(int, tokens, 2048, "Maximum tokens of each text.");
ABSL_FLAG(int, window, 512,
          "Tokens per window; each window starts with an empty context.");
ABSL_FLAG(std::string, weights, "bf16,int8,int4",
          "Formats to compare with float32, as in --weights of the workers.");
ABSL_FLAG(int, min_tokens, 2000,
          "Minimum number of tokens of all texts together.");
ABSL_FLAG(double, max_kl_int8, 0.003,
          "Maximum mean divergence of int8 over all texts; the program exits "
          "with 1 if it is exceeded; inf: no limit.");
ABSL_FLAG(double, max_kl_int4, 0.06, "The same for int4.");
ABSL_FLAG(int, threads, 0, "Threads; 0: one per CPU.");

namespace apollo {
namespace {

// Returns the logits of every token of the window.  // [tokens, vocab]
absl::StatusOr<std::span<const float>> Feed(
    Runner& runner, std::span<const std::int32_t> tokens) {
  Runner::Sequence sequence;
  ASSIGN_OR_RETURN(const std::span<const float> logits,
                   runner.Step({{&sequence, tokens, /*all_logits=*/true}}));
  runner.Release(sequence);
  return logits;
}

void Print(const std::string& format, const std::string& text,
           const Divergence& divergence) {
  std::printf("%-8s %-36s %7d %10.6f %10.6f %9.2f%%\n", format.c_str(),
              text.c_str(), divergence.count(), divergence.mean(),
              divergence.percentile99(), 100 * divergence.same_choice());
  std::fflush(stdout);
}

struct Text {
  std::string path;
  std::vector<std::int32_t> tokens;
};

// Reads the texts of the flags, which must not be empty and must have
// --min_tokens together.
absl::StatusOr<std::vector<Text>> ReadTexts(const Tokenizer& tokenizer) {
  std::vector<Text> texts;
  std::size_t total = 0;
  const auto most = static_cast<std::size_t>(absl::GetFlag(FLAGS_tokens));
  for (const absl::string_view path :
       absl::StrSplit(absl::GetFlag(FLAGS_texts), ',')) {
    ASSIGN_OR_RETURN(const std::string bytes,
                     ReadFile(std::string(path), 16 << 20));
    ASSIGN_OR_RETURN(const std::vector<TokenId> tokens,
                     tokenizer.Encode(bytes, SpecialText::kPlain));
    if (tokens.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " has no tokens; it must be a text (--texts)"));
    }
    Text& text = texts.emplace_back();
    text.path = std::string(path);
    text.tokens.assign(tokens.begin(),
                       tokens.begin() + static_cast<std::ptrdiff_t>(
                                            std::min(most, tokens.size())));
    total += text.tokens.size();
  }
  const int least = absl::GetFlag(FLAGS_min_tokens);
  if (total < static_cast<std::size_t>(least)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the texts have ", total,
                     " tokens together, too few for a "
                     "meaningful mean; they must have at least --min_tokens, ",
                     least));
  }
  return texts;
}

// Measures one text, window by window.
absl::StatusOr<Divergence> Measure(Runner& exact, Runner& runner,
                                   const Text& text) {
  const auto window = static_cast<std::size_t>(absl::GetFlag(FLAGS_window));
  const auto vocab = static_cast<std::size_t>(runner.vocab());
  Divergence divergence;
  for (std::size_t at = 0; at < text.tokens.size(); at += window) {
    const std::span<const std::int32_t> part =
        std::span(text.tokens)
            .subspan(at, std::min(window, text.tokens.size() - at));
    ASSIGN_OR_RETURN(const std::span<const float> a, Feed(exact, part));
    ASSIGN_OR_RETURN(const std::span<const float> b, Feed(runner, part));
    for (std::size_t r = 0; r < part.size(); ++r) {
      const absl::Status status =
          divergence.Add(&a[r * vocab], &b[r * vocab], runner.vocab());
      if (!status.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(
            text.path, ": after token ", at + r + 1, ": ", status.message()));
      }
    }
  }
  return divergence;
}

// Returns the limit of the mean; infinity if there is none.
double LimitOf(const std::string& format) {
  if (format == "int8") return absl::GetFlag(FLAGS_max_kl_int8);
  if (format == "int4") return absl::GetFlag(FLAGS_max_kl_int4);
  return std::numeric_limits<double>::infinity();
}

absl::Status CheckLimit(const char* flag, double value) {
  if (value >= 0) return absl::OkStatus();  // False for NaN.
  return absl::InvalidArgumentError(absl::StrCat(
      "--", flag, " is ", value, "; it must be at least 0, or inf for none"));
}

absl::StatusOr<std::unique_ptr<Runner>> Load(const OpenModel& model,
                                             int threads) {
  return Runner::Create(model, threads, 512);
}

absl::Status Run() {
  RETURN_IF_ERROR(UseCpuLevelOfEnvironment());
  ASSIGN_OR_RETURN(const int threads,
                   ThreadCount(absl::GetFlag(FLAGS_threads)));
  const std::string directory = absl::GetFlag(FLAGS_model);
  constexpr int kMost = 1 << 24;
  RETURN_IF_ERROR(CheckFromTo("window", absl::GetFlag(FLAGS_window), 1, 4096));
  RETURN_IF_ERROR(CheckFromTo("tokens", absl::GetFlag(FLAGS_tokens), 1, kMost));
  RETURN_IF_ERROR(
      CheckFromTo("min_tokens", absl::GetFlag(FLAGS_min_tokens), 1, kMost));
  RETURN_IF_ERROR(CheckLimit("max_kl_int8", absl::GetFlag(FLAGS_max_kl_int8)));
  RETURN_IF_ERROR(CheckLimit("max_kl_int4", absl::GetFlag(FLAGS_max_kl_int4)));
  const std::vector<std::string> formats =
      absl::StrSplit(absl::GetFlag(FLAGS_weights), ',');
  for (const std::string& name : formats) {
    RETURN_IF_ERROR(ParseWeights(name).status());
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<const Tokenizer> tokenizer,
                   Tokenizer::Load(directory + "/tokenizer.json"));
  ASSIGN_OR_RETURN(const std::vector<Text> texts, ReadTexts(*tokenizer));
  ASSIGN_OR_RETURN(const OpenModel exact_model,
                   OpenModelDirectory(directory, WeightFormat::kF32));
  ASSIGN_OR_RETURN(const std::unique_ptr<Runner> exact,
                   Load(exact_model, threads));
  std::printf("%s; KL divergence from float32 in nats\n",
              CpuLevelName(CurrentCpuLevel()));
  std::printf("%-8s %-36s %7s %10s %10s %10s\n", "weights", "text", "tokens",
              "mean KL", "p99 KL", "same top");
  std::vector<std::string> beyond;
  for (const std::string& name : formats) {
    ASSIGN_OR_RETURN(const auto weights, ParseWeights(name));
    ASSIGN_OR_RETURN(const OpenModel model,
                     OpenModelDirectory(directory, weights));
    ASSIGN_OR_RETURN(const std::unique_ptr<Runner> runner,
                     Load(model, threads));
    Divergence all;
    for (const Text& text : texts) {
      ASSIGN_OR_RETURN(const Divergence divergence,
                       Measure(*exact, *runner, text));
      all.Add(divergence);
      Print(name, text.path, divergence);
    }
    Print(name, "all", all);
    const double limit = LimitOf(name);
    if (all.mean() > limit) {
      beyond.push_back(absl::StrCat(name, " is ", all.mean(),
                                    " from float32; --max_kl_", name, " is ",
                                    limit));
    }
  }
  if (!beyond.empty()) {
    return absl::FailedPreconditionError(absl::StrJoin(beyond, "\n"));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Measures the divergence of a model's predictions in each weight "
      "format.\n"
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
