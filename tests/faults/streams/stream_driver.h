#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "tests/faults/streams/stream_client.h"

namespace apollo {

// Runs streams at the same time, one thread for each plan. A stream repeats its
// request until Finish() or until a request fails. Functions may be called in
// one thread.
class StreamDriver {
 public:
  struct Options {
    int rounds = 0;  // Requests of each stream; 0: until Finish().
    // For each request.
    absl::Duration deadline = absl::Seconds(60);
    // A stream also goes on after a request that has failed.
    bool repeat_failed = false;
  };

  // Starts the streams. The client must outlive the driver.
  StreamDriver(StreamClient& client, std::vector<StreamPlan> plans,
               Options options);
  // Cancels what still runs.
  ~StreamDriver();
  StreamDriver(const StreamDriver&) = delete;
  StreamDriver& operator=(const StreamDriver&) = delete;

  // Waits until the streams have received this many further tokens. Returns
  // false after `limit`, or if all streams have ended.
  bool WaitForTokens(std::int64_t more, absl::Duration limit);
  // Waits until each of these streams has received a further token, or all if
  // `slots` is empty. Returns false after `limit`, or if one has ended.
  bool WaitForEach(const std::set<int>& slots, absl::Duration limit);
  // Cancels a stream, which then ends.
  void Cancel(int slot);
  // Waits until every request has ended and returns all, in the order of their
  // ends.
  std::vector<Transcript> Finish();
  // Returns whether no stream runs.
  bool ended();

 private:
  struct Slot {
    StreamPlan plan;
    Cancellation cancellation;
    std::int64_t tokens = 0;  // Guarded by mutex_.
    bool ended = false;       // Guarded by mutex_.
    std::thread thread;
  };

  void Run(Slot& slot);
  // Runs one request. Returns whether another may follow.
  bool RunOnce(Slot& slot);
  void Join();

  StreamClient& client_;
  const Options options_;
  std::vector<std::unique_ptr<Slot>> slots_;
  Mutex mutex_;
  CondVar changed_;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  std::int64_t tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Transcript> transcripts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
