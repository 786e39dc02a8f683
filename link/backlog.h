#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "common/mutex.h"

namespace apollo {

// A count of waiting bytes. There is room for more while they are below
// `limit`; after HasRoom has returned false, only when they have fallen to half
// of it. Thread-safe.
class Backlog : public std::enable_shared_from_this<Backlog> {
 public:
  // `room` is called once when there is room again after HasRoom has returned
  // false, by the thread that frees it and with a lock held. It must return
  // quickly and not use the backlog.
  static std::shared_ptr<Backlog> Make(std::size_t limit,
                                       std::function<void()> room);

  // Adds bytes, whether there is room or not. They are removed when the
  // returned handle is destroyed, which may outlive the backlog's owner.
  // Returns null for no bytes.
  std::shared_ptr<void> Add(std::size_t bytes);

  // Returns true if there is room. Always true after Stop.
  bool HasRoom();
  // Returns true if HasRoom has returned false and there is no room again.
  bool WaitsForRoom() const;
  std::size_t bytes() const;

  // Stops calls of `room`; none is in progress when this returns. Returns true
  // if a call was pending.
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
