#pragma once

#include <cstdint>
#include <vector>

namespace apollo {

// Returns the gate of an upcycled layer: [experts, hidden] random numbers,
// approximately normal with mean 0 and the given standard deviation. Element i
// depends only on (seed, layer, i) and uses only exactly rounded operations, so
// the bits are the same on every machine and compiler.
std::vector<float> MakeGate(std::uint64_t seed, std::int64_t layer,
                            std::int64_t experts, std::int64_t hidden,
                            double standard_deviation);

}  // namespace apollo
