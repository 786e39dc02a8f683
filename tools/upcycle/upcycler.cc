#include "tools/upcycle/upcycler.h"

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/language/families.h"
#include "model/prompt/chat_template.h"
#include "model/prompt/template_source.h"
#include "model/safetensors/convert.h"
#include "model/safetensors/writer.h"
#include "model/tokenizer/tokenizer.h"
#include "model/weights/hash_file.h"
#include "tools/upcycle/config_export.h"
#include "tools/upcycle/dense_base.h"
#include "tools/upcycle/gate.h"
#include "tools/upcycle/gate_from_texts.h"
#include "tools/upcycle/output_directory.h"
#include "tools/upcycle/plan.h"

namespace apollo {
namespace {

constexpr std::int64_t kChunkElements = 4 << 20;

// Otherwise weights that are not finite, or too large for the narrower type,
// would show only in the output of the model.
absl::Status CheckFinite(std::span<const float> values, DType dtype,
                         const DenseBase& base, const PlannedTensor& tensor) {
  constexpr float kLargestF16 = 65504;
  for (const float value : values) {
    if (!std::isfinite(value)) {
      return absl::InvalidArgumentError(base.Where(tensor.source) +
                                        " holds an infinity or NaN");
    }
    if (dtype == DType::kF16 && std::fabs(value) > kLargestF16) {
      return absl::InvalidArgumentError(
          absl::StrCat(base.Where(tensor.source), " holds ", value,
                       ", too large for f16; choose bf16 or f32"));
    }
  }
  return absl::OkStatus();
}

absl::Status CopyTensor(const DenseBase& base, const PlannedTensor& tensor,
                        DType dtype, SafetensorsWriter& writer) {
  std::int64_t row_elements = 1;
  for (std::size_t i = 1; i < tensor.shape.size(); ++i) {
    row_elements *= tensor.shape[i];
  }
  const std::int64_t rows = tensor.shape[0];
  const std::int64_t step =
      std::max<std::int64_t>(1, kChunkElements / row_elements);
  std::vector<float> values;
  for (std::int64_t row = 0; row < rows; row += step) {
    const std::int64_t count = std::min(step, rows - row);
    values.resize(static_cast<std::size_t>(count * row_elements));
    RETURN_IF_ERROR(base.ReadRows(tensor.source, row, count, values.data()));
    RETURN_IF_ERROR(CheckFinite(values, dtype, base, tensor));
    RETURN_IF_ERROR(writer.AppendFloats(tensor.name, values));
  }
  return absl::OkStatus();
}

absl::Status WriteWeights(
    const DenseBase& base, const UpcycleOptions& options,
    const std::vector<PlannedTensor>& plan, DType dtype, const Gates& gates,
    const std::string& path,
    const std::function<void(const std::string&)>& progress) {
  std::vector<TensorSpec> specs;
  for (const PlannedTensor& tensor : plan) {
    specs.push_back({tensor.name, dtype, tensor.shape});
  }
  ASSIGN_OR_RETURN(SafetensorsWriter writer,
                   SafetensorsWriter::Create(path, std::move(specs)));
  const std::int64_t layers = base.config().num_layers;
  std::int64_t announced = -1;
  for (const PlannedTensor& tensor : plan) {
    if (tensor.layer > announced) {
      announced = tensor.layer;
      progress(
          absl::StrCat("layer ", announced + 1, " of ", layers,
                       announced < layers - options.sparse_layers
                           ? ", dense"
                           : absl::StrCat(", ", options.experts, " experts")));
    }
    if (tensor.source.empty()) {
      const auto made = gates.find(static_cast<int>(tensor.layer));
      RETURN_IF_ERROR(writer.AppendFloats(
          tensor.name,
          made != gates.end()
              ? made->second
              : MakeGate(options.seed, tensor.layer, tensor.shape[0],
                         tensor.shape[1], options.gate_std)));
    } else {
      RETURN_IF_ERROR(CopyTensor(base, tensor, dtype, writer));
    }
  }
  return writer.Finish();
}

// Writes the tokenizer and the chat template, if the base has one, and tries
// it: otherwise only the router would refuse it, when the model is served.
absl::Status WriteText(const DenseBase& base, const UpcycleOptions& options,
                       const OutputDirectory& output) {
  ASSIGN_OR_RETURN(const std::string tokenizer, base.TokenizerJson());
  RETURN_IF_ERROR(output.Write("tokenizer.json", tokenizer));
  for (const auto& [name, content] : base.config().chat_files) {
    RETURN_IF_ERROR(output.Write(name, content));
  }
  if (options.prompt_format != PromptFormatChoice::kAuto) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(auto source, FindChatTemplate(output.PathOf("")));
  if (!source) return absl::OkStatus();
  source->file = options.input;
  ASSIGN_OR_RETURN(const auto parsed,
                   Tokenizer::Parse(tokenizer, options.input));
  const auto made = ChatTemplate::Make(*std::move(source), *parsed);
  if (made.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      made.status().message(), "; or choose --prompt_format for the output"));
}

// Returns the table that gives each expert its languages.
absl::StatusOr<FamilyTable> FamiliesFor(const UpcycleOptions& options) {
  FamilyTable families = FamilyTable::Paper();
  if (!options.families_file.empty()) {
    ASSIGN_OR_RETURN(families, FamilyTable::Load(options.families_file));
  }
  const std::int64_t count =
      static_cast<std::int64_t>(families.families().size());
  if (count == options.experts) return families;
  return absl::InvalidArgumentError(absl::StrCat(
      "--experts is ", options.experts, ", but the table of families has ",
      count, " families; --gate-from-texts needs a family for each expert"));
}

// Makes the gates of the model that has been written to `output`, and writes
// its weights again with them.
absl::Status WriteMadeGates(
    const DenseBase& base, const UpcycleOptions& options,
    const std::vector<PlannedTensor>& plan, DType dtype,
    const FamilyTable& families, const OutputDirectory& output,
    const std::function<void(const std::string&)>& progress) {
  ASSIGN_OR_RETURN(
      const Gates gates,
      GatesFromTexts(output.PathOf(""), families,
                     {options.gate_from_texts, options.gate_check_texts},
                     options.gate_margin, options.threads, progress));
  progress("writing the weights again, with the gates");
  RETURN_IF_ERROR(WriteWeights(base, options, plan, dtype, gates,
                               output.PathOf("model.safetensors"),
                               [](const std::string&) {}));
  // The hash of the first weights.
  std::error_code ignored;
  std::filesystem::remove(output.PathOf(kHashFile), ignored);
  if (options.families_file.empty()) return absl::OkStatus();
  std::filesystem::copy_file(options.families_file,
                             output.PathOf("families.txt"), ignored);
  if (!ignored) return absl::OkStatus();
  return absl::ErrnoToStatus(ignored.value(),
                             "cannot copy " + options.families_file);
}

}  // namespace

absl::Status Upcycle(const UpcycleOptions& options,
                     const std::function<void(const std::string&)>& progress) {
  std::error_code ignored;
  if (std::filesystem::equivalent(options.input, options.output, ignored)) {
    return absl::InvalidArgumentError("--input and --output are the same: " +
                                      options.output);
  }
  progress("reading " + options.input);
  ASSIGN_OR_RETURN(const std::unique_ptr<DenseBase> base,
                   OpenDenseBase(options.input));
  const BaseConfig& config = base->config();
  for (const std::string& warning : config.warnings) {
    progress("warning: " + warning);
  }
  RETURN_IF_ERROR(CheckUpcycleOptions(options, config));
  const std::vector<PlannedTensor> plan = PlanTensors(config, options);
  RETURN_IF_ERROR(CheckSources(*base, plan));
  const DType dtype = options.dtype.value_or(config.dtype);
  std::optional<FamilyTable> families;
  if (!options.gate_from_texts.empty()) {
    ASSIGN_OR_RETURN(families, FamiliesFor(options));
  }

  ASSIGN_OR_RETURN(OutputDirectory output,
                   OutputDirectory::Create(options.output, options.overwrite));
  RETURN_IF_ERROR(WriteText(*base, options, output));
  progress(absl::StrCat("writing ", plan.size(), " tensors as ",
                        ToAbsl(DTypeName(dtype)), " to ", options.output));
  RETURN_IF_ERROR(WriteWeights(*base, options, plan, dtype, {},
                               output.PathOf("model.safetensors"), progress));
  RETURN_IF_ERROR(
      output.Write("config.json", ExportConfig(config, options, dtype)));
  if (families) {
    RETURN_IF_ERROR(WriteMadeGates(*base, options, plan, dtype, *families,
                                   output, progress));
  }
  return output.Commit();
}

}  // namespace apollo
