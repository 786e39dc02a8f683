#include "sequence/prefix_hash.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/sha256.h"

namespace apollo {
namespace {

// Little-endian, so that all machines agree.
void Append(std::uint64_t number, int bytes, std::string& out) {
  for (int i = 0; i < bytes; ++i) {
    out.push_back(static_cast<char>(number >> (8 * i) & 0xff));
  }
}

std::uint64_t FirstBytes(const std::string& digest) {
  std::uint64_t number = 0;
  for (int i = 0; i < 8; ++i) {
    number |= std::uint64_t{static_cast<unsigned char>(digest[i])} << (8 * i);
  }
  return number;
}

}  // namespace

PrefixHasher::PrefixHasher(const std::string& model_hash,
                           const std::string& salt) {
  std::string input = "apollo prefix";
  Append(model_hash.size(), 8, input);  // Ends it unmistakably.
  input += model_hash;
  input += salt;
  root_ = Sha256(input);
}

std::uint64_t PrefixHasher::Next(std::uint64_t previous,
                                 std::span<const std::int32_t> tokens) const {
  APOLLO_CHECK(tokens.size() == kPrefixTokens);
  std::string input = root_;
  input.reserve(root_.size() + 8 + 4 * kPrefixTokens);
  Append(previous, 8, input);
  for (const std::int32_t token : tokens) {
    Append(static_cast<std::uint32_t>(token), 4, input);
  }
  return FirstBytes(Sha256(input));
}

std::vector<std::uint64_t> PrefixHasher::Chain(
    std::span<const std::int32_t> prompt,
    std::span<const std::uint64_t> known) const {
  const std::size_t blocks =
      std::min(prompt.size() / kPrefixTokens, kMostPrefixes);
  known = known.first(std::min(known.size(), blocks));
  std::vector<std::uint64_t> hashes;
  hashes.reserve(blocks);
  hashes.assign(known.begin(), known.end());
  std::uint64_t last = known.empty() ? 0 : known.back();
  for (std::size_t i = known.size(); i < blocks; ++i) {
    last = Next(last, prompt.subspan(i * kPrefixTokens, kPrefixTokens));
    hashes.push_back(last);
  }
  return hashes;
}

CachedPrefixes MakeCachedPrefixes(std::vector<std::uint64_t> hashes) {
  // FNV-1a over the hashes, which are random already.
  std::uint64_t version = 0xcbf29ce484222325u;
  for (const std::uint64_t hash : hashes) {
    version = (version ^ hash) * 0x100000001b3u;
  }
  return {std::max<std::uint64_t>(1, version), std::move(hashes)};
}

}  // namespace apollo
