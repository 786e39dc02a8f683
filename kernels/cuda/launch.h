#pragma once

#include <absl/status/status.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <string_view>
#include <tuple>

#include "kernels/cuda/device.h"

#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include "kernels/cuda/emulation/device_state.h"
#include "kernels/cuda/emulation/simt.h"
#endif

namespace apollo::cuda {

// Launches a kernel with `shared` bytes of dynamic shared memory. Returns the
// error of the launch, which names `what`.
template <typename... Parameters, typename... Arguments>
absl::Status Launch(std::string_view what, void (*kernel)(Parameters...),
                    dim3 grid, int threads, std::size_t shared,
                    cudaStream_t stream, const Arguments&... arguments) {
#ifdef __CUDACC__
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  return CudaStatus(cudaLaunchKernelEx(&config, kernel,
                                       static_cast<Parameters>(arguments)...),
                    what);
#else
  static_cast<void>(stream);
  emulation::device_state.Do(
      [=, all = std::tuple<Parameters...>(arguments...)] {
        emulation::RunGrid({grid.x, grid.y}, threads, shared,
                           [&] { std::apply(kernel, all); });
      });
  return CudaStatus(cudaGetLastError(), what);
#endif
}

}  // namespace apollo::cuda
