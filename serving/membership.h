#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/mutex.h"

namespace apollo {

// The addresses of a group of workers, and news of their changes: a fixed list,
// or a source that is read again and again in a thread of its own, so that a
// source that hangs holds up nobody else. Thread-safe.
class Membership {
 public:
  using Addresses = std::vector<std::string>;
  // Reads the addresses now, each once. May block. ABORTED: they are just
  // being written, which is no mistake. Called in one thread.
  using Reader = absl::AnyInvocable<absl::StatusOr<Addresses>()>;
  // Hears of the addresses. Calls come one at a time; they must return soon.
  using Listener = std::function<void(const Addresses&)>;

  // From a flag: "host:port,host:port", or "file:/path" for a file with one
  // address a line, which may change while the process runs. Empty lines and
  // lines that start with # are skipped. INVALID_ARGUMENT for an address
  // without a port, naming it. A file need not exist yet.
  static absl::StatusOr<std::unique_ptr<Membership>> Parse(
      std::string_view list);

  // A fixed list.
  explicit Membership(Addresses addresses);
  // A source that changes. `name` is for the log.
  Membership(std::string name, Reader reader);
  // Waits for a reading that is under way. The listener hears nothing more.
  ~Membership();
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  // Tells the listener the addresses and then each change: of a fixed list at
  // once, of a source from its thread, which reads every kInterval. Call it
  // once at most. The listener must stay valid until the membership is gone.
  void Start(Listener listener);

  // Reads the source once and tells the listener of a change, as the thread
  // does. A reading that fails, or finds nothing, leaves the list as it was;
  // the reason is logged once, until it changes. For tests, instead of Start.
  void Refresh();

  // Returns the last addresses that were read. Never waits for a reading.
  Addresses Current() const;

  // Returns true if it names no worker and never will.
  bool NamesNobody() const { return reader_ == nullptr && Current().empty(); }

  static constexpr absl::Duration kInterval = absl::Milliseconds(100);

 private:
  void Run();
  void Report(const absl::Status& status, std::size_t kept);

  // Constant after construction.
  const std::string name_;

  // Of the thread that reads.
  Reader reader_;
  absl::Status last_status_;

  // Constant after Start.
  Listener listener_;
  std::thread thread_;

  mutable Mutex mutex_;
  CondVar stop_;
  Addresses addresses_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
