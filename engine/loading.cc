#include "engine/loading.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/time/time.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "engine/checkpoint_weights.h"
#include "engine/packed_weights.h"
#include "engine/weight_names.h"
#include "model/weights/tensor_table.h"

namespace apollo {

absl::StatusOr<std::optional<WeightFormat>> ParseWeights(
    std::string_view name) {
  auto format = WeightsByName(name);
  if (format.ok()) return format;
  return absl::InvalidArgumentError(
      absl::StrCat("--weights is ", format.status().message()));
}

absl::StatusOr<OpenModel> OpenModelDirectory(
    const std::string& directory, std::optional<WeightFormat> format) {
  if (directory.empty()) {
    return absl::InvalidArgumentError("--model is missing: name a directory");
  }
  OpenModel model;
  ASSIGN_OR_RETURN(model.config, LoadModelConfig(directory));
  if (std::error_code error;
      std::filesystem::exists(directory + "/" + kPackedFile, error)) {
    ASSIGN_OR_RETURN(std::unique_ptr<PackedWeights> packed,
                     PackedWeights::Open(directory, model.config));
    if (format && packed->format() != WeightsName(format)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--weights is ", WeightsName(format), ", but ", directory, "/",
          kPackedFile, " holds ", packed->format()));
    }
    ASSIGN_OR_RETURN(model.format, WeightsByName(packed->format()));
    model.hash = packed->hash();
    model.weights = std::move(packed);
    return model;
  }
  ASSIGN_OR_RETURN(Checkpoint opened, Checkpoint::Open(directory));
  auto checkpoint = std::make_unique<Checkpoint>(std::move(opened));
  RETURN_IF_ERROR(CheckTensors(model.config, *checkpoint));
  model.format = format;
  model.hash = ModelHash(model.config, *checkpoint);
  if (format) absl::StrAppend(&model.hash, "+", WeightsName(format));
  ASSIGN_OR_RETURN(model.weights,
                   CheckpointWeights::Create(std::move(checkpoint), format));
  return model;
}

absl::Status PackModel(const std::string& directory,
                       std::optional<WeightFormat> format,
                       const std::string& path, ThreadPool& pool,
                       const LoadProgress& progress) {
  ASSIGN_OR_RETURN(const OpenModel model,
                   OpenModelDirectory(directory, format));
  const auto* checkpoint =
      dynamic_cast<const CheckpointWeights*>(model.weights.get());
  if (checkpoint == nullptr) {
    return absl::InvalidArgumentError(directory + " is packed already");
  }
  return WritePackedWeights(model.config, *checkpoint, model.hash,
                            WeightsName(format), directory + "/config.json",
                            path, pool, progress);
}

LoadProgress LogLoadProgress() {
  return [last = absl::ZeroDuration()](std::int64_t done,
                                       std::int64_t total) mutable {
    const absl::Duration now = Clock::Real().Now();
    if (done < total && now - last < absl::Seconds(1)) return;
    last = now;
    LogInfo(
        "loading",
        {{"percent", static_cast<int>(total > 0 ? done * 100 / total : 100)},
         {"megabytes", done >> 20},
         {"of", total >> 20}});
  };
}

absl::StatusOr<std::set<int>> ParseExperts(std::string_view list,
                                           int num_experts) {
  std::set<int> experts;
  if (list == "all") {
    for (int e = 0; e < num_experts; ++e) experts.insert(e);
    return experts;
  }
  for (const absl::string_view part : absl::StrSplit(ToAbsl(list), ',')) {
    int expert = -1;
    if (!absl::SimpleAtoi(part, &expert) || expert < 0 ||
        expert >= num_experts) {
      return absl::InvalidArgumentError(
          absl::StrCat("--experts has \"", part,
                       "\"; it must be \"all\" or numbers from 0 to ",
                       num_experts - 1, " with commas between"));
    }
    experts.insert(expert);
  }
  return experts;
}

absl::StatusOr<int> ThreadCount(int asked) {
  const int cores = std::max(1u, std::thread::hardware_concurrency());
  if (asked < 0 || asked > cores) {
    return absl::InvalidArgumentError(
        absl::StrCat("--threads is ", asked, "; it must be from 0 (all) to ",
                     cores, ", the processors of this machine"));
  }
  return asked == 0 ? cores : asked;
}

absl::StatusOr<std::int64_t> CacheBytes(std::int64_t megabytes) {
  constexpr std::int64_t kMost = std::int64_t{1} << 30;
  if (megabytes < 1 || megabytes > kMost) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--cache_megabytes is ", megabytes, "; it must be from 1 to ", kMost));
  }
  return megabytes << 20;
}

absl::Status CheckAtLeastOne(std::string_view flag, std::int64_t value) {
  if (value >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--", ToAbsl(flag), " is ", value, "; it must be at least 1"));
}

absl::Status CheckFromTo(std::string_view flag, std::int64_t value,
                         std::int64_t least, std::int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--", ToAbsl(flag), " is ",
                                                 value, "; it must be from ",
                                                 least, " to ", most));
}

absl::Status CheckAboveZero(std::string_view flag, absl::Duration value) {
  if (value > absl::ZeroDuration()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", ToAbsl(flag), " is ", absl::FormatDuration(value),
                   "; it must be more than 0, for example 10s"));
}

absl::StatusOr<CacheOptions> ParseCacheOptions(
    std::int64_t megabytes, std::string_view dtype,
    std::optional<WeightFormat> weights) {
  CacheOptions options;
  ASSIGN_OR_RETURN(options.bytes, CacheBytes(megabytes));
  if (dtype == "auto") {
    const bool rounded = weights && *weights != WeightFormat::kF32;
    options.type = rounded ? CacheType::kF16 : CacheType::kFloat32;
  } else if (dtype == "f16") {
    options.type = CacheType::kF16;
  } else if (dtype == "bf16") {
    options.type = CacheType::kBf16;
  } else if (dtype != "float32") {
    return absl::InvalidArgumentError(
        absl::StrCat("--cache_dtype is \"", ToAbsl(dtype),
                     "\"; it must be auto, float32, f16 or bf16"));
  }
  return options;
}

}  // namespace apollo
