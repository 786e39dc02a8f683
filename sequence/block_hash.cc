#include "sequence/block_hash.h"

#include <algorithm>
#include <cstddef>

#include "common/sha256.h"

namespace apollo {
namespace {

// Little-endian, so that all machines agree.
void Append(std::uint64_t number, int bytes, std::string& out) {
  for (int i = 0; i < bytes; ++i) {
    out.push_back(static_cast<char>(number >> (8 * i) & 0xff));
  }
}

// The size in front ends it unmistakably.
void AppendText(const std::string& text, std::string& out) {
  Append(text.size(), 8, out);
  out += text;
}

}  // namespace

BlockHashes::BlockHashes(const std::string& model_hash,
                         const std::string& numerics,
                         const GenerationRequest& request) {
  std::string input = "apollo block";
  AppendText(model_hash, input);
  AppendText(numerics, input);
  // A gate that is free chooses the same experts for every family.
  const int pinned = request.hybrid ? request.family : -1;
  Append(static_cast<std::uint32_t>(pinned), 4, input);
  AppendText(request.cache_salt, input);
  root_ = Sha256(input);
}

std::span<const BlockHash> BlockHashes::Of(
    std::span<const std::int32_t> tokens) {
  const std::size_t whole = tokens.size() / kHashedTokens;
  std::string input;
  for (std::size_t i = hashes_.size(); i < whole; ++i) {
    input = root_;
    const BlockHash before = i == 0 ? BlockHash() : hashes_[i - 1];
    input.append(before.bytes.begin(), before.bytes.end());
    for (const std::int32_t token :
         tokens.subspan(i * kHashedTokens, kHashedTokens)) {
      Append(static_cast<std::uint32_t>(token), 4, input);
    }
    const std::string digest = Sha256(input);
    BlockHash& hash = hashes_.emplace_back();
    std::copy_n(digest.begin(), hash.bytes.size(), hash.bytes.begin());
  }
  return std::span(hashes_).first(whole);
}

}  // namespace apollo
