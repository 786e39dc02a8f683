#pragma once

#include <absl/status/status.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/cuda/types.h"

namespace apollo::cuda {

// The use of a product's sums.
enum class Epilogue {
  kStore,       // float32 out[r][o] = sum + bias[o]
  kAdd,         // float32 out[r][o] += sum: adds to the residual stream.
  kStoreBf16,   // bf16 out[r][o] = sum + bias[o]
  kSwiGluBf16,  // bf16 out[r][j] = silu(gate sum j) * up sum j, for j <
                // outputs / 2. Needs a paired matrix, which needs this.
};

// sum[r][o] = sum over i of x[r][i] * w[o][i]. The inputs are divided into 8
// slices of whole groups of 32 (product_index.h); a slice is a chain of
// mma.m16n8k16 in rising order from zero, and the slices are added in rising
// order. With integers a slice is a chain of groups, in rising order, too: each
// adds scale * (integers * x), then in int4 minimum * (sum of x). All kernels,
// for any number of rows, follow this order, so that they return the same bits.
struct Product {
  DeviceMatrix w;
  const Bf16* x = nullptr;  // [rows, w.inputs]
  int x_stride = 0;         // In numbers, a multiple of 8.
  int rows = 0;             // 0 is allowed.
  Epilogue epilogue = Epilogue::kStore;
  const float* bias = nullptr;  // [outputs] or null; with kStore, kStoreBf16.
  void* out = nullptr;
  int out_stride = 0;  // In numbers of out.
};

// Products of rows that are grouped by expert, in one launch:
//   position p of the grouped rows belongs to expert e for
//   offsets[e] <= p < offsets[e + 1];
//   it reads x row source[p] and writes out row target[p].
// Experts whose weights are null are skipped.
struct GroupedProduct {
  // The matrices of all experts have the shape of `w`, whose data is ignored.
  DeviceMatrix w;
  int experts = 0;                        // At most 1024.
  const void* const* weights = nullptr;   // [experts] in device memory.
  const std::int32_t* offsets = nullptr;  // [experts + 1] in device memory.
  int max_rows = 0;                       // A bound of offsets[experts].
  const std::int32_t* source = nullptr;   // [max_rows], or null: p.
  const std::int32_t* target = nullptr;   // [max_rows], or null: p.
  const Bf16* x = nullptr;
  int x_stride = 0;
  Epilogue epilogue = Epilogue::kStore;  // kAdd only with unique targets.
  void* out = nullptr;
  int out_stride = 0;
};

// Runs the product on the stream. Shapes are those of CheckPackedShape.
absl::Status Run(const Product& product, cudaStream_t stream);
absl::Status Run(const GroupedProduct& product, cudaStream_t stream);

// Kernels that Run chooses from by the number of rows. For tests and
// benchmarks, which force one.
enum class ProductKernel {
  kAutomatic,
  kRows8,
  kRows16,
  kRows32,
  kRows64,
  kTiles
};
absl::Status RunWith(ProductKernel kernel, const Product& product,
                     cudaStream_t stream);
absl::Status RunWith(ProductKernel kernel, const GroupedProduct& product,
                     cudaStream_t stream);

// Loads the kernels and raises their limits of shared memory. Call it once per
// device before the first product.
absl::Status PrepareProducts();

}  // namespace apollo::cuda
