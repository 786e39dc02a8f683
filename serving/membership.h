#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/mutex.h"

namespace apollo {

// The addresses of a group of workers: a fixed list, or a source that may
// change. A source is read periodically by a thread of its own, so that a
// source that hangs blocks nothing else. Thread-safe.
class Membership {
 public:
  using Addresses = std::vector<std::string>;
  // Reads the current addresses, without duplicates. May block. Returns ABORTED
  // while they are being written, which is not an error. Called by one thread.
  using Reader = absl::AnyInvocable<absl::StatusOr<Addresses>()>;
  // Receives the addresses. Called by one thread at a time; must return soon.
  using Listener = std::function<void(const Addresses&)>;
  // Returns the reason why an address must not be called, or OK.
  using Check = std::function<absl::Status(const std::string& address)>;

  // Parses the value of a flag:
  //
  // - "host:port,host:port" is a fixed list. An address may also be that of a
  //   Unix socket, "unix:/path";
  // - "file:/path" is a file with one address per line, which may change while
  //   the process runs and need not exist yet. Skips empty lines and lines that
  //   start with #;
  // - "dns:NAME:PORT" are all addresses of a name in DNS with this port, and
  //   "dns:NAME" those of its SRV records: see serving/dns_members.h. They are
  //   looked up every second, at `dns_server` (serving/dns_resolver.h).
  //
  // Each address must pass `check`, if it is given; a source with one that does
  // not is not followed, as if it could not be read. Returns INVALID_ARGUMENT
  // naming an address without a valid host or port, or the error of `check` for
  // a fixed list.
  static absl::StatusOr<std::unique_ptr<Membership>> Parse(
      std::string_view list, const std::string& dns_server = "",
      Check check = nullptr);

  // Creates a fixed list.
  explicit Membership(Addresses addresses);
  // Creates a list that follows a source, which is read again after each
  // `interval`. `name` is for the log.
  Membership(std::string name, Reader reader,
             absl::Duration interval = kInterval);
  // Waits for a read in progress. The listener is not called any more.
  ~Membership();
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  // Passes the addresses to the listener: those of a fixed list immediately,
  // those of a source from its thread, which reads it again and again, at first
  // and after each change. Call at most once. The listener must stay valid
  // until the membership is destroyed.
  void Start(Listener listener);

  // Reads the source once and passes a change to the listener, as the thread
  // does. A read that fails leaves the list unchanged; the reason is logged
  // once, until it changes. For tests, instead of Start.
  void Refresh();

  // Makes the thread of a source read it now, and waits for that. Returns the
  // reason for which the source is not followed, DEADLINE_EXCEEDED after
  // `limit`, or OK, also for a fixed list. After Start; any thread.
  absl::Status ReadNow(absl::Duration limit = absl::Seconds(5));

  // Returns false for a fixed list.
  bool FollowsSource() const { return reader_ != nullptr; }

  // Returns the addresses read last. Never waits for a read.
  Addresses Current() const;

  // Returns true if the list is fixed and empty.
  bool NamesNobody() const { return reader_ == nullptr && Current().empty(); }

  static constexpr absl::Duration kInterval = absl::Milliseconds(100);

 private:
  void Run();
  // Reads the source once. Passes a change to the listener, and returns why the
  // list stays as it is.
  absl::Status Read();
  void Report(const absl::Status& status, std::size_t kept);

  // Constant after construction.
  const std::string name_;
  const absl::Duration interval_ = kInterval;

  // Used by the reading thread only.
  Reader reader_;
  absl::Status last_status_;

  // Constant after Start.
  Listener listener_;
  std::thread thread_;

  mutable Mutex mutex_;
  CondVar wake_;  // Stops the thread, or makes it read.
  CondVar read_;
  Addresses addresses_ ABSL_GUARDED_BY(mutex_);
  bool wanted_ ABSL_GUARDED_BY(mutex_) = false;  // A read, now.
  std::uint64_t begun_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t ended_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status result_ ABSL_GUARDED_BY(mutex_);  // Of the last read.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
