#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/config/model_config.h"
#include "router/backend.h"
#include "sequence/generation.h"

namespace apollo {

// A stand-in for a cluster that runs each sequence to its end within Start,
// with tokens that follow from the seed. Thread-safe.
class CheckingBackend final : public RouterBackend {
 public:
  // Says whom the requests come from.
  enum class From {
    kRouter,  // Has checked them: a request that a worker refuses is a fault.
    kWire,    // Nobody has checked them.
  };

  CheckingBackend(ModelConfig config, From from)
      : config_(std::move(config)), from_(from) {}

  std::unique_ptr<GenerationCall> Start(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink) override;
  bool Ready() override { return true; }
  std::string ModelHash() override { return "model"; }
  void CollectRouting(
      absl::Duration window,
      std::function<void(std::vector<WorkerRouting>)> done) override;
  void CollectStatus(
      std::function<void(std::vector<ProcessStatus>)> done) override;

 private:
  void SendPrompt(const GenerationRequest& request, GenerationSink& sink) const;
  // Returns the use of experts by a sequence, all of them equally.
  std::vector<LayerUse> Use() const;

  const ModelConfig config_;
  const From from_;
};

}  // namespace apollo
