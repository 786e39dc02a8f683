#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

// Executes thread blocks on the host, one after the other. Each thread is a
// fiber that runs until it waits for others: at a barrier of its block, or at
// an instruction that its warp executes together. Deterministic and slow; for
// tests of small shapes.
namespace apollo::cuda::emulation {

struct Index {
  unsigned x = 0, y = 0;
};

// Of the running thread.
extern Index thread_index;
extern Index block_index;

// Runs `body` for every thread of every block of the grid.
void RunGrid(Index grid, int threads, std::size_t shared_bytes,
             const std::function<void()>& body);

// Returns the dynamic shared memory of the block. It starts as NaN.
void* DynamicSharedMemory();

// Waits for all threads of the block that have not ended.
void BlockBarrier();

// Waits until all lanes of the warp have passed their values, and returns those
// of all lanes: [32] values of up to 32 bytes, valid until the next but one
// exchange.
inline constexpr std::size_t kLaneBytes = 32;
const std::byte* Exchange(const void* value, std::size_t bytes);

}  // namespace apollo::cuda::emulation
