#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace apollo {

// How some rows of one sequence were routed in one sparse layer.
struct RoutedRows {
  int layer = 0;
  std::string_view language;  // As the sequence began: any text, or empty.
  int rows = 0;
  std::span<const std::uint32_t> by_expert;  // [experts]: rows that chose each.
  bool has_family = false;
  int off_family = 0;  // See LayerUse::off_family_tokens.
};

// Told what an expert worker does, to count it. Called from the engine's
// thread; must return at once.
class ExpertObserver {
 public:
  virtual ~ExpertObserver() = default;
  // A batch of that many rows was started.
  virtual void OnBatch(int rows) = 0;
  // Rows of a batch chose their experts.
  virtual void OnRouted(const RoutedRows& rows) = 0;
  // Rows sent to, and computed for, other expert workers.
  virtual void OnRowsSent(int rows) = 0;
  virtual void OnRowsServed(int rows) = 0;
  // A sequence was opened, under a number that no other one here ever has.
  virtual void OnOpened(std::uint64_t sequence, int prompt_tokens) = 0;
  // A token of it was sampled.
  virtual void OnSampled(std::uint64_t sequence) = 0;
  // It was closed: OK, let go by its dense worker; ABORTED, it lost its place
  // here or was begun again; UNAVAILABLE, the dense worker was lost.
  virtual void OnClosed(std::uint64_t sequence, absl::StatusCode code) = 0;
  // A sequence lost its cache blocks to another one.
  virtual void OnPreemption() = 0;
};

}  // namespace apollo
