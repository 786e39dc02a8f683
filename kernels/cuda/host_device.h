#pragma once

// Marks inline functions that both the host and the kernels call. Headers that
// use it hold index arithmetic only and compile without CUDA, so that ordinary
// tests cover them.
#ifdef __CUDACC__
#define APOLLO_HOST_DEVICE __host__ __device__
#else
#define APOLLO_HOST_DEVICE
#endif
