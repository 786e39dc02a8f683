#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/safetensors/tensor_view.h"

namespace apollo {

// Declares a tensor before its data is written.
struct TensorSpec {
  std::string name;
  DType dtype = DType::kF32;        // Not kOther.
  std::vector<std::int64_t> shape;  // Empty for a scalar.
};

// Writes a .safetensors file without holding it in memory. All tensors are
// declared first; then their data is appended in that order, each in one or
// more parts. The data goes to `<path>.partial`, which Finish() renames to
// `path`, so a file of that name is always complete. Without Finish(), the
// partial file is removed. Movable. Single-threaded.
class SafetensorsWriter {
 public:
  // Returns INVALID_ARGUMENT for a name that is empty, repeated or not UTF-8,
  // for a negative or overflowing shape, and for dtype kOther; otherwise errors
  // of the file system.
  static absl::StatusOr<SafetensorsWriter> Create(
      const std::string& path, std::vector<TensorSpec> tensors);

  SafetensorsWriter(SafetensorsWriter&&) noexcept = default;
  SafetensorsWriter& operator=(SafetensorsWriter&&) noexcept = delete;
  ~SafetensorsWriter();

  // Appends the next part of tensor `name`, as stored in the file
  // (little-endian). Returns FAILED_PRECONDITION if another tensor is due or
  // the data is too long.
  absl::Status Append(std::string_view name,
                      std::span<const std::uint8_t> data);

  // Like Append, for floats narrowed to the declared dtype.
  absl::Status AppendFloats(std::string_view name,
                            std::span<const float> values);

  // Checks that every tensor is complete, syncs the file to disk and renames
  // it.
  absl::Status Finish();

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  struct Tensor {
    TensorSpec spec;
    std::size_t bytes = 0;
  };
  SafetensorsWriter(std::string path, std::vector<Tensor> tensors,
                    std::unique_ptr<std::FILE, Closer> file);
  std::string PartialPath() const { return path_ + ".partial"; }
  void SkipComplete();

  std::string path_;
  std::vector<Tensor> tensors_;
  std::unique_ptr<std::FILE, Closer> file_;  // Null after Finish or a move.
  std::size_t current_ = 0;                  // The tensor that is due.
  std::size_t written_ = 0;                  // Bytes of it written so far.
};

}  // namespace apollo
