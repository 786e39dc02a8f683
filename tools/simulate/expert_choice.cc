#include "tools/simulate/expert_choice.h"

namespace apollo::simulate {

std::uint64_t TieBreak(const std::string& worker, std::uint64_t sequence) {
  std::uint64_t hash = 0xcbf29ce484222325u ^ sequence;
  for (const char c : worker) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  hash ^= hash >> 32;
  return hash * 0x9e3779b97f4a7c15u;
}

}  // namespace apollo::simulate
