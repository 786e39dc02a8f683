// Creates a directory of packed weights from a model directory. See --help.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/usage.h>
#include <absl/strings/str_cat.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/thread_count.h"
#include "model/config/model_warnings.h"
#include "model/weights/hash_file.h"
#include "model/weights/load_progress.h"
#include "model/weights/open_model.h"
#include "model/weights/packed_weights.h"
#include "model/weights/packed_writer.h"
#include "model/weights/weight_names.h"
#include "tools/upcycle/output_directory.h"

ABSL_FLAG(std::string, model, "", "Directory of the checkpoint (required).");
ABSL_FLAG(std::string, output, "", "The directory to create (required).");
ABSL_FLAG(std::string, weights, "int8",
          "Weights in the file: " + apollo::WeightsHelp() + ".");
ABSL_FLAG(bool, strict_model, false,
          "Refuse a checkpoint with keys of config.json or tensors that are "
          "not known, or that contradict each other, instead of warning.");
ABSL_FLAG(bool, overwrite, false, "Replace the output directory if it exists.");
ABSL_FLAG(int, threads, 0, "Threads; 0: one per CPU.");

namespace apollo {
namespace {

namespace fs = std::filesystem;

// Copies all files except the checkpoint: config, tokenizer, families and so
// on.
absl::Status CopyRest(const std::string& from, const OutputDirectory& to) {
  std::error_code error;
  for (fs::directory_iterator file(from, error), end; !error && file != end;
       file.increment(error)) {
    const std::string name = file->path().filename().string();
    if (!file->is_regular_file(error) || name[0] == '.' || name == kHashFile ||
        name.find(".safetensors") != std::string::npos) {
      continue;
    }
    fs::copy_file(file->path(), to.PathOf(name), error);
    if (error) break;
  }
  if (error) {
    return absl::InternalError(
        absl::StrCat("cannot copy the files of ", from, ": ", error.message()));
  }
  return absl::OkStatus();
}

absl::Status Run() {
  if (absl::GetFlag(FLAGS_model).empty() ||
      absl::GetFlag(FLAGS_output).empty()) {
    return absl::InvalidArgumentError("--model and --output are required");
  }
  // OutputDirectory removes the last two.
  std::string name = absl::GetFlag(FLAGS_output);
  while (name.size() > 1 && name.back() == '/') name.pop_back();
  for (const char* ending : {"", ".partial", ".replaced"}) {
    if (std::error_code error;
        fs::equivalent(absl::GetFlag(FLAGS_model), name + ending, error)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--model is ", name, ending, ", which packing into --output ", name,
          " replaces; it must be another directory"));
    }
  }
  ASSIGN_OR_RETURN(const auto format,
                   ParseWeights(absl::GetFlag(FLAGS_weights)));
  ASSIGN_OR_RETURN(const int threads,
                   ThreadCount(absl::GetFlag(FLAGS_threads)));
  // Before creating anything.
  ASSIGN_OR_RETURN(const OpenModel model,
                   OpenModelDirectory(absl::GetFlag(FLAGS_model), format));
  RETURN_IF_ERROR(
      ReportModelWarnings(model.warnings, absl::GetFlag(FLAGS_strict_model)));
  ASSIGN_OR_RETURN(OutputDirectory output,
                   OutputDirectory::Create(absl::GetFlag(FLAGS_output),
                                           absl::GetFlag(FLAGS_overwrite)));
  ThreadPool pool(threads);
  RETURN_IF_ERROR(PackModel(model, absl::GetFlag(FLAGS_model),
                            output.PathOf(kPackedFile), pool,
                            LogLoadProgress()));
  // Workers map the file: writing to it would change the served weights.
  std::error_code error;
  fs::permissions(
      output.PathOf(kPackedFile),
      fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read,
      error);
  if (error) {
    return absl::InternalError(absl::StrCat("cannot make ",
                                            output.PathOf(kPackedFile),
                                            " read-only: ", error.message()));
  }
  RETURN_IF_ERROR(CopyRest(absl::GetFlag(FLAGS_model), output));
  return output.Commit();
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Creates a directory of packed weights, which workers map and serve "
      "at once.\n"
      "Example: pack --model DIR --output DIR-int8 --weights int8");
  absl::ParseCommandLine(argc, argv);
  apollo::SetLogProcess("pack");
  const absl::Status status = apollo::Run();
  if (!status.ok()) {
    std::fprintf(stderr, "pack: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
