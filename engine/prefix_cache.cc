#include "engine/prefix_cache.h"

#include <algorithm>

#include "common/check.h"

namespace apollo {

PrefixCache::PrefixCache(BlockPool& pool) : pool_(pool) {
  pool_.OnEviction([this](BlockId block) { Forget(block); });
}

PrefixCache::Key PrefixCache::MakeKey(std::int64_t parent,
                                      std::span<const std::int32_t> tokens,
                                      int index) {
  Key key;
  key.parent = parent;
  std::copy_n(
      tokens.begin() + static_cast<std::ptrdiff_t>(index) * kBlockTokens,
      kBlockTokens, key.tokens.begin());
  return key;
}

BlockTable PrefixCache::Find(const std::string& salt,
                             std::span<const std::int32_t> tokens) const {
  BlockTable found;
  const auto root = salts_.find(salt);
  if (root == salts_.end()) return found;
  std::int64_t parent = root->second.number;
  const int whole = static_cast<int>(tokens.size() / kBlockTokens);
  for (int index = 0; index < whole; ++index) {
    const auto it = blocks_.find(MakeKey(parent, tokens, index));
    if (it == blocks_.end()) break;
    found.push_back(it->second);
    parent = it->second;
  }
  return found;
}

void PrefixCache::Publish(const std::string& salt,
                          std::span<const std::int32_t> tokens,
                          BlockTable& table, int index) {
  APOLLO_CHECK(static_cast<int>(tokens.size()) >= (index + 1) * kBlockTokens);
  const BlockId block = table.at(index);
  APOLLO_CHECK(!keys_.contains(block));
  std::int64_t parent = 0;
  if (index == 0) {
    Salt& root = salts_[salt];
    if (root.number == 0) {
      root.number = --last_salt_;
      salt_names_[root.number] = salt;
    }
    parent = root.number;
  } else {
    parent = table[index - 1];
    APOLLO_CHECK(keys_.contains(table[index - 1]));
  }
  const Key key = MakeKey(parent, tokens, index);
  const auto [it, added] = blocks_.insert({key, block});
  if (!added) {
    table[index] = it->second;
    pool_.AddReference(it->second);
    pool_.Release(block);
    return;
  }
  keys_[block] = key;
  pool_.Keep(block);
  if (index == 0) {
    ++salts_.at(salt).blocks;
  } else {
    ++followers_[table[index - 1]];
  }
}

void PrefixCache::Forget(BlockId block) {
  APOLLO_CHECK(!followers_.contains(block));
  const auto it = keys_.find(block);
  APOLLO_CHECK(it != keys_.end());
  const std::int64_t parent = it->second.parent;
  blocks_.erase(it->second);
  keys_.erase(it);
  if (parent >= 0) {
    const auto follows = followers_.find(static_cast<BlockId>(parent));
    APOLLO_CHECK(follows != followers_.end());
    if (--follows->second == 0) followers_.erase(follows);
    return;
  }
  const auto name = salt_names_.find(parent);
  APOLLO_CHECK(name != salt_names_.end());
  if (--salts_.at(name->second).blocks == 0) {
    salts_.erase(name->second);
    salt_names_.erase(name);
  }
}

}  // namespace apollo
