#pragma once

#include <cstdint>

namespace apollo {

// Returns the seed of one of several answers to a request. Choice 0 has the
// request's own seed; the others have seeds that are mixed from it and their
// number, so that no choice of a request repeats choice 0 of a request with a
// seed near by.
std::uint64_t ChoiceSeed(std::uint64_t seed, int choice);

}  // namespace apollo
