#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "common/thread_pool.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/packed_weights.h"
#include "model/weights/weight_source.h"

namespace apollo::cuda {

// Moves matrices from a source to the device: packs some rows into page-locked
// memory while those before are being copied. One thread, which the pool
// assists.
class MatrixStager {
 public:
  // The arguments held by reference must outlive the stager. Copies are
  // enqueued in `stream`.
  // `stage_bytes`: page-locked memory of a piece; more for longer rows.
  MatrixStager(const WeightSource& source, ThreadPool& pool,
               cudaStream_t stream, std::size_t stage_bytes = 32 << 20)
      : source_(source),
        pool_(pool),
        stream_(stream),
        stage_bytes_(stage_bytes) {}

  ~MatrixStager();  // Waits until the device has read the memory.
  MatrixStager(const MatrixStager&) = delete;
  MatrixStager& operator=(const MatrixStager&) = delete;

  // Packs the stacked rows of the tensors as `shape` to `to`, in device memory
  // [PackedBytes(shape)]. The format of `shape` may be another than the
  // source's.
  absl::Status Pack(const std::vector<std::string>& names,
                    const PackedShape& shape, void* to);
  // Copies the rows of a tensor as bf16 to `to` [outputs, inputs].
  absl::Status CopyBf16(const std::string& name, int outputs, int inputs,
                        void* to);
  // Copies other data.
  absl::Status Copy(const void* data, std::size_t bytes, void* to);

 private:
  // Page-locked memory, and when the device has read it.
  struct Stage {
    PinnedBuffer memory;
    Event read;
    bool used = false;
  };

  // Returns the next stage with room for `bytes` bytes, which the device has
  // read.
  absl::StatusOr<Stage*> NextStage(std::size_t bytes);
  // Enqueues the copy of a stage.
  absl::Status Send(Stage& stage, std::size_t bytes, void* to);

  const WeightSource& source_;
  ThreadPool& pool_;
  const cudaStream_t stream_;
  const std::size_t stage_bytes_;
  std::array<Stage, 2> stages_;
  std::size_t next_ = 0;
};

}  // namespace apollo::cuda
