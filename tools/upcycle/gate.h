#pragma once

#include <cstdint>
#include <vector>

namespace apollo {

// The gate of a freshly upcycled layer: [experts, hidden] random numbers, about
// normal with mean 0 and the given standard deviation. Element i is a function
// of (seed, layer, i) alone, computed with exactly rounded operations only, so
// every machine and compiler makes the same bits.
std::vector<float> MakeGate(std::uint64_t seed, std::int64_t layer,
                            std::int64_t experts, std::int64_t hidden,
                            double standard_deviation);

}  // namespace apollo
