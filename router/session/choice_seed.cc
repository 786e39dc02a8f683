#include "router/session/choice_seed.h"

namespace apollo {
namespace {

// Spreads every bit over all others (MurmurHash3's finalizer). The sampler
// mixes with other constants, so that the two cannot undo each other.
std::uint64_t Mix(std::uint64_t z) {
  z = (z ^ (z >> 33)) * 0xff51afd7ed558ccdu;
  z = (z ^ (z >> 33)) * 0xc4ceb9fe1a85ec53u;
  return z ^ (z >> 33);
}

}  // namespace

std::uint64_t ChoiceSeed(std::uint64_t seed, int choice) {
  if (choice == 0) return seed;
  return Mix(Mix(seed ^ 0xd1b54a32d192ed03u) +
             static_cast<std::uint64_t>(choice) * 0x8cb92ba72f3d8dd7u);
}

}  // namespace apollo
