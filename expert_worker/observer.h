#pragma once

#include <cstdint>

namespace apollo {

// Told what an expert worker does, to count it. Called from the engine's thread;
// must return at once.
class ExpertObserver {
 public:
  virtual ~ExpertObserver() = default;
  // A batch of that many rows was started.
  virtual void OnBatch(int rows) = 0;
  // `rows` rows of a batch chose the expert in a sparse layer.
  virtual void OnExpertUse(int layer, int expert, std::uint64_t rows) = 0;
  // Rows sent to, and computed for, other expert workers.
  virtual void OnRowsSent(int rows) = 0;
  virtual void OnRowsServed(int rows) = 0;
  // A sequence was opened; one was closed.
  virtual void OnSequences(int opened, int closed) = 0;
};

}  // namespace apollo
