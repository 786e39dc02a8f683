#pragma once

#include <string>

#include "model/generation/generation.h"

namespace apollo {

// What a router needs of the cluster behind it.
class RouterBackend : public GenerationBackend {
 public:
  // Whether a sequence could be started now.
  virtual bool Ready() = 0;
  // Of the model served, as the workers report it; empty before any is known.
  virtual std::string ModelHash() = 0;
};

}  // namespace apollo
