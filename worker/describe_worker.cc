#include "worker/describe_worker.h"

#include <utility>

#include "serving/version.h"

namespace apollo {

WorkerInfo DescribeWorker(const WorkerSetup& setup, WorkerRole role,
                          std::string name, std::string numerics) {
  WorkerInfo self;
  self.role = role;
  self.name = std::move(name);
  self.model_hash = setup.model.model.hash;
  self.config_hash = setup.model.fingerprint.config;
  self.tokenizer_hash = setup.model.fingerprint.tokenizer;
  self.version = kVersion;
  self.numerics = std::move(numerics);
  return self;
}

}  // namespace apollo
