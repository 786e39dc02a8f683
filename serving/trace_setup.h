#pragma once

#include <prometheus/collectable.h>

#include <memory>

#include "tracing/tracer.h"

namespace apollo {

// How a process traces, made by its main function from flags
// (serving/trace_flags.h). Both are null if it does not.
struct TraceSetup {
  std::shared_ptr<Tracer> tracer;
  std::shared_ptr<prometheus::Collectable> metrics;
};

}  // namespace apollo
