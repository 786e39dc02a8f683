#include "common/check.h"
#include "common/status_macros.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/product.h"
#include "kernels/cuda/product_kernel.cuh"
#include "kernels/cuda/skinny_kernel.cuh"
#include "kernels/cuda/tile_kernel.cuh"

namespace apollo::cuda {
namespace {

int Ceil(int a, int b) { return (a + b - 1) / b; }

int RowsOf(ProductKernel kernel) {
  switch (kernel) {
    case ProductKernel::kRows8:
      return 8;
    case ProductKernel::kRows16:
      return 16;
    case ProductKernel::kRows32:
      return 32;
    case ProductKernel::kRows64:
      return 64;
    default:
      return kTileRows;
  }
}

// Chooses a kernel for about `rows` rows per matrix.
ProductKernel Choose(int rows, int outputs) {
  if (rows <= 8) return ProductKernel::kRows8;
  if (rows <= 16) return ProductKernel::kRows16;
  if (rows <= 32) return ProductKernel::kRows32;
  if (rows <= 64) return ProductKernel::kRows64;
  // Large tiles need enough of them to occupy the GPU.
  constexpr int kEnoughTiles = 64;
  const int tiles =
      Ceil(rows, kTileRows) * Ceil(outputs, kTileM * kTileOutputs);
  return tiles >= kEnoughTiles ? ProductKernel::kTiles : ProductKernel::kRows64;
}

template <int kM, typename Kernel>
absl::Status RunSkinny(Kernel* kernel, int row_tiles,
                       const ProductArguments& args, cudaStream_t stream) {
  const dim3 grid(row_tiles, Ceil(CountTiles(args.outputs), kM));
  return Launch("a product of few rows", kernel, grid, kSkinnyThreads, 0,
                stream, args);
}

// Groups of weights in flight per warp, of up to 8 rows: those of int4 are
// small.
template <WeightFormat kFormat>
constexpr int kAheadOf8 = kFormat == WeightFormat::kInt4 ? 8 : 4;

template <WeightFormat kFormat>
absl::Status RunKernel(ProductKernel kernel, int row_tiles,
                       const ProductArguments& args, cudaStream_t stream) {
  switch (kernel) {
    case ProductKernel::kRows8:
      return RunSkinny<1>(SkinnyKernel<kFormat, 1, 1, kAheadOf8<kFormat>, 2>,
                          row_tiles, args, stream);
    case ProductKernel::kRows16:
      return RunSkinny<1>(SkinnyKernel<kFormat, 1, 2, 4, 2>, row_tiles, args,
                          stream);
    case ProductKernel::kRows32:
      return RunSkinny<2>(SkinnyKernel<kFormat, 2, 4, 2, 1>, row_tiles, args,
                          stream);
    case ProductKernel::kRows64:
      return RunSkinny<2>(SkinnyKernel<kFormat, 2, 8, 2, 1>, row_tiles, args,
                          stream);
    default:
      const dim3 grid(row_tiles, Ceil(CountTiles(args.outputs), kTileM));
      return Launch("a product of many rows", TileKernel<kFormat>, grid,
                    kTileThreads, TileShape<kFormat>::kShared, stream, args);
  }
}

absl::Status RunFormat(WeightFormat format, ProductKernel kernel, int row_tiles,
                       const ProductArguments& args, cudaStream_t stream) {
  if (row_tiles == 0) return absl::OkStatus();
  switch (format) {
    case WeightFormat::kBF16:
      return RunKernel<WeightFormat::kBF16>(kernel, row_tiles, args, stream);
    case WeightFormat::kInt8:
      return RunKernel<WeightFormat::kInt8>(kernel, row_tiles, args, stream);
    case WeightFormat::kInt4:
      return RunKernel<WeightFormat::kInt4>(kernel, row_tiles, args, stream);
    case WeightFormat::kF32:
      break;
  }
  NoSuchFormat();
}

// Raises the limit of shared memory of a format's kernel.
template <WeightFormat kFormat>
absl::Status PrepareTiles() {
  return CudaStatus(
      cudaFuncSetAttribute(TileKernel<kFormat>,
                           cudaFuncAttributeMaxDynamicSharedMemorySize,
                           TileShape<kFormat>::kShared),
      "preparing products");
}

// Returns the arguments that both products have.
template <typename P>
ProductArguments CommonArguments(const P& product) {
  APOLLO_CHECK(product.w.inputs % kGroupInputs == 0);
  APOLLO_CHECK(product.x_stride % 8 == 0);
  APOLLO_CHECK(product.w.paired == (product.epilogue == Epilogue::kSwiGluBf16));
  ProductArguments args;
  args.outputs = product.w.outputs;
  args.groups = product.w.inputs / kGroupInputs;
  args.x = product.x;
  args.x_stride = product.x_stride;
  args.epilogue = product.epilogue;
  args.out = product.out;
  args.out_stride = product.out_stride;
  return args;
}

}  // namespace

absl::Status RunWith(ProductKernel kernel, const Product& product,
                     cudaStream_t stream) {
  ProductArguments args = CommonArguments(product);
  args.w = product.w.data;
  args.rows = product.rows;
  args.bias = product.bias;
  if (kernel == ProductKernel::kAutomatic) {
    kernel = Choose(product.rows, product.w.outputs);
  }
  return RunFormat(product.w.format, kernel, Ceil(product.rows, RowsOf(kernel)),
                   args, stream);
}

absl::Status RunWith(ProductKernel kernel, const GroupedProduct& product,
                     cudaStream_t stream) {
  APOLLO_CHECK(product.experts >= 1 && product.experts <= 1024);
  ProductArguments args = CommonArguments(product);
  args.weights = product.weights;
  args.offsets = product.offsets;
  args.experts = product.experts;
  args.source = product.source;
  args.target = product.target;
  if (kernel == ProductKernel::kAutomatic) {
    // The rows of each expert are known to the device only.
    kernel = Choose(Ceil(product.max_rows, product.experts), product.w.outputs);
  }
  return RunFormat(
      product.w.format, kernel,
      MaxRowTiles(product.max_rows, product.experts, RowsOf(kernel)), args,
      stream);
}

absl::Status Run(const Product& product, cudaStream_t stream) {
  return RunWith(ProductKernel::kAutomatic, product, stream);
}

absl::Status Run(const GroupedProduct& product, cudaStream_t stream) {
  return RunWith(ProductKernel::kAutomatic, product, stream);
}

absl::Status PrepareProducts() {
  RETURN_IF_ERROR(PrepareTiles<WeightFormat::kBF16>());
  RETURN_IF_ERROR(PrepareTiles<WeightFormat::kInt8>());
  return PrepareTiles<WeightFormat::kInt4>();
}

}  // namespace apollo::cuda
