#include "link/backlog.h"

namespace apollo {

std::shared_ptr<Backlog> Backlog::Make(std::size_t limit,
                                       std::function<void()> room) {
  return std::shared_ptr<Backlog>(new Backlog(limit, std::move(room)));
}

std::shared_ptr<void> Backlog::Add(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  {
    MutexLock lock(mutex_);
    bytes_ += bytes;
  }
  return std::shared_ptr<void>(nullptr, [self = shared_from_this(), bytes](
                                            void*) { self->Remove(bytes); });
}

void Backlog::Remove(std::size_t bytes) {
  MutexLock lock(mutex_);
  bytes_ -= bytes;
  if (!waited_for_ || bytes_ > limit_ / 2) return;
  waited_for_ = false;
  room_();
}

bool Backlog::HasRoom() {
  MutexLock lock(mutex_);
  if (stopped_ || bytes_ < limit_) return true;
  waited_for_ = true;
  return false;
}

bool Backlog::WaitsForRoom() const {
  MutexLock lock(mutex_);
  return waited_for_;
}

std::size_t Backlog::bytes() const {
  MutexLock lock(mutex_);
  return bytes_;
}

bool Backlog::Stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  return std::exchange(waited_for_, false);
}

}  // namespace apollo
