#include "engine/block_pool.h"

#include <utility>

#include "common/check.h"

namespace apollo {

BlockPool::BlockPool(int blocks) : states_(blocks) {
  for (int i = blocks - 1; i >= 0; --i) free_.push_back(i);
}

void BlockPool::OnEviction(std::function<void(BlockId)> evicted) {
  evicted_ = std::move(evicted);
}

std::optional<BlockId> BlockPool::Allocate() {
  BlockId block = 0;
  if (!free_.empty()) {
    block = free_.back();
    free_.pop_back();
  } else if (!idle_.empty()) {
    block = idle_.front();
    idle_.pop_front();
    states_[block].kept = false;
    if (evicted_) evicted_(block);
  } else {
    return std::nullopt;
  }
  states_[block].references = 1;
  return block;
}

bool BlockPool::Extend(BlockTable& table, int blocks) {
  const int wanted = blocks - static_cast<int>(table.size());
  if (wanted > available()) return false;
  for (int i = 0; i < wanted; ++i) table.push_back(*Allocate());
  return true;
}

void BlockPool::AddReference(BlockId block) {
  State& state = states_.at(block);
  APOLLO_CHECK(state.references > 0 || state.kept);
  if (state.references++ == 0) idle_.erase(state.idle);
}

void BlockPool::Release(BlockId block) {
  State& state = states_.at(block);
  APOLLO_CHECK(state.references > 0);
  if (--state.references > 0) return;
  if (state.kept) {
    state.idle = idle_.insert(idle_.end(), block);
  } else {
    free_.push_back(block);
  }
}

void BlockPool::Release(BlockTable& table) {
  for (auto it = table.rbegin(); it != table.rend(); ++it) Release(*it);
  table.clear();
}

void BlockPool::Keep(BlockId block) {
  State& state = states_.at(block);
  APOLLO_CHECK(state.references > 0);
  state.kept = true;
}

}  // namespace apollo
