#pragma once

#include "expert_worker/observer.h"

namespace apollo {

// Ignores everything; for tests that look at a part of it.
class QuietObserver : public ExpertObserver {
 public:
  void OnBatch(int) override {}
  void OnRouted(const RoutedRows&) override {}
  void OnRowsSent(int) override {}
  void OnRowsServed(int) override {}
  void OnOpened(std::uint64_t, int) override {}
  void OnSampled(std::uint64_t) override {}
  void OnClosed(std::uint64_t, absl::StatusCode) override {}
  void OnPreemption() override {}
};

}  // namespace apollo
