#include "expert_worker/placement_setup.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>

#include <algorithm>
#include <cstddef>
#include <set>

#include "common/status_macros.h"
#include "common/strings.h"
#include "engine/worker_device.h"
#include "expert_worker/placement_file.h"
#include "expert_worker/placement_policy.h"
#include "model/config/expert_list.h"

namespace apollo {
namespace {

constexpr std::int64_t kMegabyte = std::int64_t{1} << 20;

// What the flags ask for, and the sizes of the model's experts.
class Resolver {
 public:
  Resolver(const PlacementOptions& options, const std::string& name,
           const ModelConfig& config, Device device, const ExpertLoader* loader)
      : options_(options),
        name_(name),
        config_(config),
        device_(device),
        loader_(loader) {
    Measure();
  }

  absl::StatusOr<PlacementSetup> Resolve();

 private:
  void Measure();
  absl::Status ReadMode();
  absl::Status CheckDevice() const;
  absl::Status CheckSize() const;
  absl::StatusOr<std::set<int>> FirstOfAuto() const;
  absl::Status ChooseExperts();
  void UseFile();

  const PlacementOptions& options_;
  const std::string& name_;
  const ModelConfig& config_;
  const Device device_;
  const ExpertLoader* const loader_;
  std::int64_t largest_ = 0;     // Bytes of an expert of a layer, at most.
  std::int64_t all_layers_ = 0;  // Bytes of an expert in all layers, at most.
  PlacementSetup setup_;
};

void Resolver::Measure() {
  if (loader_ == nullptr) return;
  for (int expert = 0; expert < config_.num_experts; ++expert) {
    std::int64_t bytes = 0;
    for (int layer = config_.boundary; layer < config_.num_layers; ++layer) {
      const std::int64_t one = loader_->Bytes({layer, expert});
      largest_ = std::max(largest_, one);
      bytes += one;
    }
    all_layers_ = std::max(all_layers_, bytes);
  }
}

absl::Status Resolver::ReadMode() {
  absl::string_view mode = options_.placement;
  setup_.control.automatic = mode == "auto" || options_.experts == "auto";
  if (absl::ConsumePrefix(&mode, "file:")) {
    setup_.file = std::string(mode);
    setup_.control.automatic = false;
    if (!setup_.file.empty()) return absl::OkStatus();
  }
  if (mode == "fixed" || mode == "auto") return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--placement is \"", options_.placement,
                   "\"; it must be fixed, auto or file:PATH"));
}

absl::Status Resolver::CheckSize() const {
  const std::size_t all =
      static_cast<std::size_t>(config_.num_sparse_layers()) *
      static_cast<std::size_t>(config_.num_experts);
  if (!setup_.control.automatic || all <= PlacementControl::kMostEntries) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--placement=auto moves at most ", PlacementControl::kMostEntries,
      " experts over all layers, but the model has ",
      config_.num_sparse_layers(), " sparse layers with ", config_.num_experts,
      " experts each; --placement must be fixed or file:PATH, with a list of "
      "experts"));
}

absl::Status Resolver::CheckDevice() const {
  if (options_.resident_megabytes && !setup_.control.automatic) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--resident_megabytes is ", *options_.resident_megabytes,
        ", which goes only with --placement=auto or --experts=auto"));
  }
  if (loader_ != nullptr) return absl::OkStatus();
  const std::string where =
      config_.is_dense() ? "a model without experts"
                         : absl::StrCat("--device=", DeviceName(device_));
  if (setup_.control.automatic || !setup_.file.empty()) {
    const bool by_experts =
        setup_.control.automatic && options_.placement != "auto";
    return absl::InvalidArgumentError(absl::StrCat(
        by_experts ? options_.flag : "--placement", " is \"",
        by_experts ? options_.experts : options_.placement, "\", which ", where,
        " does not support; --placement must be fixed, with ",
        config_.is_dense() ? "all" : "a list of", " experts"));
  }
  if (options_.standby_megabytes.value_or(0) > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--standby_megabytes is ", *options_.standby_megabytes,
                     ", which ", where, " does not support; it must be 0"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::set<int>> Resolver::FirstOfAuto() const {
  int count = (config_.num_experts + 1) / 2;
  if (options_.resident_megabytes) {
    const std::int64_t bytes = *options_.resident_megabytes * kMegabyte;
    if (bytes < all_layers_) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--resident_megabytes is ", *options_.resident_megabytes,
          "; it must be at least ", (all_layers_ + kMegabyte - 1) / kMegabyte,
          ", the size of an expert in all layers"));
    }
    count = static_cast<int>(
        std::min<std::int64_t>(bytes / all_layers_, config_.num_experts));
  }
  return FirstExperts(name_, count, config_.num_experts);
}

absl::Status Resolver::ChooseExperts() {
  if (options_.experts == "auto") {
    ASSIGN_OR_RETURN(setup_.experts, FirstOfAuto());
    setup_.residence.first = ExpertHold::kAuto;
  } else {
    ASSIGN_OR_RETURN(
        setup_.experts,
        ParseExperts(options_.experts, config_.num_experts, options_.flag));
  }
  if (options_.resident_megabytes) {
    setup_.control.most_resident = static_cast<int>(std::min<std::int64_t>(
        *options_.resident_megabytes * kMegabyte /
            std::max<std::int64_t>(largest_, 1),
        std::int64_t{config_.num_experts} * config_.num_sparse_layers()));
  }
  return absl::OkStatus();
}

void Resolver::UseFile() {
  if (setup_.file.empty()) return;
  const auto placement = ReadPlacement(setup_.file, ShapeOf(config_));
  if (!placement.ok()) return;  // Who follows the file reports it.
  const auto own = placement->find(name_);
  if (own == placement->end()) return;
  setup_.experts = own->second;
  setup_.residence.first = ExpertHold::kFile;
}

absl::StatusOr<PlacementSetup> Resolver::Resolve() {
  RETURN_IF_ERROR(ReadMode());
  RETURN_IF_ERROR(CheckDevice());
  RETURN_IF_ERROR(CheckSize());
  RETURN_IF_ERROR(ChooseExperts());
  UseFile();
  setup_.control.rules.restart_grace = options_.restart_grace;
  if (loader_ != nullptr) {
    setup_.residence.standby_bytes =
        options_.standby_megabytes ? *options_.standby_megabytes * kMegabyte
                                   : all_layers_;
  }
  return std::move(setup_);
}

}  // namespace

SparseShape ShapeOf(const ModelConfig& config) {
  return {config.boundary, config.num_layers, config.num_experts};
}

absl::StatusOr<PlacementSetup> SetUpPlacement(const PlacementOptions& options,
                                              const std::string& name,
                                              const ModelConfig& config,
                                              Device device,
                                              const ExpertLoader* loader) {
  return Resolver(options, name, config, device, loader).Resolve();
}

}  // namespace apollo
