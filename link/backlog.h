#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "common/mutex.h"

namespace apollo {

// Bytes that wait to be taken, and when there is room for more: below `limit`,
// and, once somebody was told that there is none, from half of it down.
// Thread-safe.
class Backlog : public std::enable_shared_from_this<Backlog> {
 public:
  // `room` is called when there is room again after HasRoom has said that there
  // is none: once, from the thread that made it, with a lock held. It must
  // return quickly and not use the backlog.
  static std::shared_ptr<Backlog> Make(std::size_t limit,
                                       std::function<void()> room);

  // Adds bytes, whether there is room or not. They are taken off when the
  // handle is gone, which may outlive the backlog's owner. Null for no bytes.
  std::shared_ptr<void> Add(std::size_t bytes);

  // Always true once stopped.
  bool HasRoom();
  std::size_t bytes() const;

  // `room` is not called any more, and no call is under way once this returns.
  // Returns true if somebody was waiting for it.
  bool Stop();

 private:
  Backlog(std::size_t limit, std::function<void()> room)
      : limit_(limit), room_(std::move(room)) {}
  void Remove(std::size_t bytes);

  const std::size_t limit_;

  mutable Mutex mutex_;
  std::function<void()> room_ ABSL_GUARDED_BY(mutex_);
  std::size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool waited_for_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
