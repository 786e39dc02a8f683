// Converts a dense checkpoint into a Post-MoE model directory. See --help.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/reflection.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/thread_count.h"
#include "kernels/cpu_level.h"
#include "tools/upcycle/options.h"
#include "tools/upcycle/upcycler.h"

ABSL_FLAG(
    std::string, input, "",
    "The dense model: a GGUF file, or a Hugging Face directory with "
    "config.json, safetensors and tokenizer.json (Llama, Qwen2 or Qwen3). "
    "Required.");
ABSL_FLAG(std::string, output, "", "The directory to create. Required.");
ABSL_FLAG(std::int64_t, experts, 7, "Experts per sparse layer.");
ABSL_FLAG(std::int64_t, sparse_layers, 2,
          "Number of layers, counted from the last, that become sparse.");
ABSL_FLAG(std::int64_t, top_k, 2, "Experts per token.");
ABSL_FLAG(
    bool, norm_topk_prob, false,
    "Divide the weights of a token's experts by their sum. The new model then "
    "computes the same function as the dense one.");
ABSL_FLAG(std::uint64_t, seed, 0, "Random seed of the gates.");
ABSL_FLAG(double, gate_std, 0.02, "Standard deviation of the gate weights.");
ABSL_FLAG(
    std::string, gate_from_texts, "",
    "Makes the gates from texts, so that they prefer the expert of a text's "
    "language family. A demonstration of affinity, no training. A file with a "
    "text per line, LANGUAGE<tab>TEXT, or a directory of LANGUAGE.txt. Empty: "
    "the gates are random numbers.");
ABSL_FLAG(std::string, gate_check_texts, "",
          "Held-out texts, in the same form, for which the choices of the made "
          "gates are counted and printed. Empty: those of --gate-from-texts.");
ABSL_FLAG(double, gate_margin, 4,
          "Distance of the family's gate logit from the next one, on average "
          "at the mean state of the family.");
ABSL_FLAG(std::string, families_file, "",
          "Families file for --gate-from-texts (docs/languages.md), copied to "
          "the model. Empty: the published table.");
ABSL_FLAG(int, threads, 0,
          "Threads that run the model on texts; 0: one per CPU.");
ABSL_FLAG(
    std::string, dtype, "auto",
    "f32, bf16 or f16; auto is the type of the base, or f32 for a quantised "
    "GGUF file.");
ABSL_FLAG(
    std::string, prompt_format, "auto",
    "apollo (User:...\\nAssistant:) or chatml; auto is the chat template of "
    "the base, if it has one, else apollo.");
ABSL_FLAG(bool, overwrite, false, "Replace the output directory if it exists.");

namespace apollo {
namespace {

constexpr const char* kFlags[] = {"input",
                                  "output",
                                  "experts",
                                  "sparse_layers",
                                  "top_k",
                                  "norm_topk_prob",
                                  "seed",
                                  "gate_std",
                                  "gate_from_texts",
                                  "gate_check_texts",
                                  "gate_margin",
                                  "families_file",
                                  "threads",
                                  "dtype",
                                  "prompt_format",
                                  "overwrite"};

void PrintHelp() {
  std::printf(
      "upcycle --input MODEL --output DIRECTORY [options]\n\n"
      "Converts a dense model into a Post-MoE model: in its last layers, the\n"
      "MLP is copied into several experts and a gate is added: small random\n"
      "numbers, or rows made from texts of the language families.\n"
      "Writes config.json, model.safetensors and tokenizer.json, and the\n"
      "chat template of a GGUF file.\n\n");
  for (const char* name : kFlags) {
    const absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
    std::string shown = name;
    std::replace(shown.begin(), shown.end(), '_', '-');
    const std::string value = flag->DefaultValue();
    std::printf("  --%s%s\n      %s\n", shown.c_str(),
                value.empty() ? "" : absl::StrCat("=", value).c_str(),
                flag->Help().c_str());
  }
  std::printf(
      "\nExample:\n  upcycle --input base.gguf --output model --experts 7 "
      "--sparse-layers 2 \\\n    --top-k 2 --norm-topk-prob --seed 1\n");
}

// Accepts --sparse-layers=2 for --sparse_layers=2: Abseil's names have no
// hyphens.
std::vector<std::string> WithUnderscores(int argc, char** argv) {
  std::vector<std::string> arguments(argv, argv + argc);
  for (std::string& argument : arguments) {
    if (argument == "--") break;
    if (argument.rfind("--", 0) != 0) continue;
    const std::size_t end = std::min(argument.find('='), argument.size());
    std::replace(argument.begin() + 2,
                 argument.begin() + static_cast<std::ptrdiff_t>(end), '-', '_');
  }
  return arguments;
}

absl::StatusOr<UpcycleOptions> OptionsFromFlags() {
  UpcycleOptions options;
  options.input = absl::GetFlag(FLAGS_input);
  options.output = absl::GetFlag(FLAGS_output);
  options.experts = absl::GetFlag(FLAGS_experts);
  options.sparse_layers = absl::GetFlag(FLAGS_sparse_layers);
  options.top_k = absl::GetFlag(FLAGS_top_k);
  options.norm_topk_prob = absl::GetFlag(FLAGS_norm_topk_prob);
  options.seed = absl::GetFlag(FLAGS_seed);
  options.gate_std = absl::GetFlag(FLAGS_gate_std);
  options.gate_from_texts = absl::GetFlag(FLAGS_gate_from_texts);
  options.gate_check_texts = absl::GetFlag(FLAGS_gate_check_texts);
  options.gate_margin = absl::GetFlag(FLAGS_gate_margin);
  options.families_file = absl::GetFlag(FLAGS_families_file);
  ASSIGN_OR_RETURN(options.threads, ThreadCount(absl::GetFlag(FLAGS_threads)));
  options.overwrite = absl::GetFlag(FLAGS_overwrite);
  if (options.input.empty() || options.output.empty()) {
    return absl::InvalidArgumentError(
        "--input and --output are required; see --help");
  }
  const std::string dtype = absl::GetFlag(FLAGS_dtype);
  if (dtype == "f32") {
    options.dtype = DType::kF32;
  } else if (dtype == "bf16") {
    options.dtype = DType::kBF16;
  } else if (dtype == "f16") {
    options.dtype = DType::kF16;
  } else if (dtype != "auto") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--dtype is \"", dtype, "\"; it must be auto, f32, bf16 or f16"));
  }
  const std::string format = absl::GetFlag(FLAGS_prompt_format);
  if (format == "apollo") {
    options.prompt_format = PromptFormatChoice::kApollo;
  } else if (format == "chatml") {
    options.prompt_format = PromptFormatChoice::kChatMl;
  } else if (format != "auto") {
    return absl::InvalidArgumentError(
        absl::StrCat("--prompt-format is \"", format,
                     "\"; it must be auto, apollo or chatml"));
  }
  return options;
}

absl::Status Run(const UpcycleOptions& options) {
  RETURN_IF_ERROR(UseCpuLevelOfEnvironment());
  return Upcycle(options, [](const std::string& line) {
    std::fprintf(stderr, "upcycle: %s\n", line.c_str());
  });
}

int Main(int argc, char** argv) {
  std::vector<std::string> arguments = WithUnderscores(argc, argv);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) {
    if (argument == "--help" || argument == "-h") {
      PrintHelp();
      return 0;
    }
    pointers.push_back(argument.data());
  }
  const std::vector<char*> rest = absl::ParseCommandLine(
      static_cast<int>(pointers.size()), pointers.data());
  if (rest.size() > 1) {
    std::fprintf(stderr, "upcycle: unexpected argument \"%s\"; see --help\n",
                 rest[1]);
    return 2;
  }
  const absl::StatusOr<UpcycleOptions> options = OptionsFromFlags();
  if (!options.ok()) {
    std::fprintf(stderr, "upcycle: %s\n",
                 std::string(options.status().message()).c_str());
    return 2;
  }
  const absl::Status status = Run(*options);
  if (!status.ok()) {
    std::fprintf(stderr, "upcycle: error: %s\n",
                 std::string(status.message()).c_str());
    return 1;
  }
  std::printf("%s\n", options->output.c_str());
  return 0;
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) { return apollo::Main(argc, argv); }
