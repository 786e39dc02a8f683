#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace apollo {

// Adds a metric without labels, which the registry owns.
inline prometheus::Counter& AddCounter(prometheus::Registry& registry,
                                       const char* name, const char* help) {
  return prometheus::BuildCounter()
      .Name(name)
      .Help(help)
      .Register(registry)
      .Add({});
}

inline prometheus::Gauge& AddGauge(prometheus::Registry& registry,
                                   const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(
      {});
}

}  // namespace apollo
