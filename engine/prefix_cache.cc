#include "engine/prefix_cache.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>

#include "common/check.h"

namespace apollo {

static_assert(kPrefixTokens == kBlockTokens);

PrefixCache::PrefixCache(BlockPool& pool, std::string model_hash)
    : model_hash_(std::move(model_hash)),
      blocks_(pool,
              [this](BlockId block, const Key& key) { Forget(block, key); }) {}

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
    const auto block = blocks_.Find(MakeKey(parent, tokens, index));
    if (!block) break;
    found.push_back(*block);
    parent = *block;
  }
  return found;
}

void PrefixCache::Publish(const std::string& salt,
                          std::span<const std::int32_t> tokens,
                          BlockTable& table, int index) {
  APOLLO_CHECK(static_cast<int>(tokens.size()) >= (index + 1) * kBlockTokens);
  const BlockId block = table.at(index);
  std::int64_t parent = 0;
  std::uint64_t previous = 0;
  std::shared_ptr<const PrefixHasher> hasher;
  if (index == 0) {
    Salt& root = salts_[salt];
    if (root.number == 0) {
      root.number = --last_salt_;
      salt_names_[root.number] = salt;
      root.hasher = std::make_shared<const PrefixHasher>(model_hash_, salt);
    }
    parent = root.number;
    hasher = root.hasher;
  } else {
    parent = table[index - 1];
    const auto before = published_.find(table[index - 1]);
    APOLLO_CHECK(before != published_.end());
    previous = before->second.hash;
    hasher = before->second.hasher;
  }
  const Key key = MakeKey(parent, tokens, index);
  if (!blocks_.Publish(key, table, index)) {
    Touch(table[index]);
    return;
  }
  recent_.push_front(block);
  published_[block] = {hasher->Next(previous, key.tokens), recent_.begin(),
                       hasher};
  ++changes_;
  if (index == 0) {
    ++salts_.at(salt).blocks;
  } else {
    ++followers_[table[index - 1]];
  }
}

void PrefixCache::Touch(BlockId block) {
  recent_.splice(recent_.begin(), recent_, published_.at(block).recent);
  ++changes_;
}

void PrefixCache::Use(const BlockTable& table, int blocks) {
  for (int i = blocks - 1; i >= 0; --i) Touch(table.at(i));
}

std::vector<std::uint64_t> PrefixCache::Recent(std::size_t most) const {
  std::vector<std::uint64_t> hashes;
  absl::flat_hash_set<BlockId> taken;
  std::vector<const Published*> chain;  // From a block to its first.
  for (const BlockId last : recent_) {
    chain.clear();
    for (std::int64_t block = last; block >= 0;) {
      if (!taken.insert(static_cast<BlockId>(block)).second) break;
      chain.push_back(&published_.at(static_cast<BlockId>(block)));
      block = blocks_.key(static_cast<BlockId>(block)).parent;
    }
    for (auto it = chain.rbegin(); it != chain.rend(); ++it) {
      if (hashes.size() == most) return hashes;
      hashes.push_back((*it)->hash);
    }
  }
  return hashes;
}

void PrefixCache::Forget(BlockId block, const Key& key) {
  APOLLO_CHECK(!followers_.contains(block));
  const auto it = published_.find(block);
  APOLLO_CHECK(it != published_.end());
  const std::int64_t parent = key.parent;
  recent_.erase(it->second.recent);
  published_.erase(it);
  ++changes_;
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
