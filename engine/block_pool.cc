#include "engine/block_pool.h"

#include "common/check.h"

namespace apollo {

BlockPool::BlockPool(int blocks) : references_(blocks, 0) {
  for (int i = blocks - 1; i >= 0; --i) free_.push_back(i);
}

std::optional<BlockId> BlockPool::Allocate() {
  if (free_.empty()) return std::nullopt;
  const BlockId block = free_.back();
  free_.pop_back();
  references_[block] = 1;
  return block;
}

bool BlockPool::Extend(BlockTable& table, int blocks) {
  const int wanted = blocks - static_cast<int>(table.size());
  if (wanted > available()) return false;
  for (int i = 0; i < wanted; ++i) table.push_back(*Allocate());
  return true;
}

void BlockPool::AddReference(BlockId block) {
  APOLLO_CHECK(references_.at(block) > 0);
  ++references_[block];
}

void BlockPool::Release(BlockId block) {
  APOLLO_CHECK(references_.at(block) > 0);
  if (--references_[block] == 0) free_.push_back(block);
}

void BlockPool::Release(BlockTable& table) {
  for (const BlockId block : table) Release(block);
  table.clear();
}

}  // namespace apollo
