#pragma once

#include <cstdint>

namespace apollo {

// Returns the seed of one of several answers to a request. Choice 0 has the
// request's own seed. The seeds of the others are mixed from it and the
// choice's number, so that no choice repeats choice 0 of a request with a
// nearby seed.
std::uint64_t ChoiceSeed(std::uint64_t seed, int choice);

}  // namespace apollo
