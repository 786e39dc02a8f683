#pragma once

#include <cstdint>

#include "common/mutex.h"
#include "serving/counters.h"

namespace apollo {

// Counters of all links of a worker process, whatever travels over them
// (docs/link.md). Bytes are those of FrameBytes: the size in memory.
struct LinkCounters {
  Level open;  // Links whose peer has sent a frame.
  Count frames_in, frames_out;
  Count bytes_in, bytes_out;
  // Ends: by this side, of a link that was open, and of one that was not.
  Count closed, lost, unreachable;
  // Times that the queue of a link was too long for new work.
  Count full;
};

inline constexpr MetricRow<LinkCounters> kLinkMetrics[] = {
    {"apollo_links_open", "Open links to other workers.", &LinkCounters::open},
    {"apollo_link_frames_total", "Frames of links, by direction.",
     &LinkCounters::frames_in, "direction", "in"},
    {"apollo_link_frames_total", "Frames of links, by direction.",
     &LinkCounters::frames_out, "direction", "out"},
    {"apollo_link_bytes_total",
     "Bytes in memory of the frames of links, by direction.",
     &LinkCounters::bytes_in, "direction", "in"},
    {"apollo_link_bytes_total",
     "Bytes in memory of the frames of links, by direction.",
     &LinkCounters::bytes_out, "direction", "out"},
    {"apollo_links_ended_total",
     "Links that ended: closed by this worker, lost, or never open because the "
     "other worker was unreachable.",
     &LinkCounters::closed, "how", "closed"},
    {"apollo_links_ended_total",
     "Links that ended: closed by this worker, lost, or never open because the "
     "other worker was unreachable.",
     &LinkCounters::lost, "how", "lost"},
    {"apollo_links_ended_total",
     "Links that ended: closed by this worker, lost, or never open because the "
     "other worker was unreachable.",
     &LinkCounters::unreachable, "how", "unreachable"},
    {"apollo_link_full_total",
     "Times that the queue of a link was too long for new work, and had room "
     "again.",
     &LinkCounters::full},
};

// Counts what the threads of links report. Thread-safe.
class LinkCounting {
 public:
  void Sent(std::int64_t bytes) {
    MutexLock lock(mutex_);
    ++counters_.frames_out;
    counters_.bytes_out += bytes;
  }
  void Received(std::int64_t bytes) {
    MutexLock lock(mutex_);
    ++counters_.frames_in;
    counters_.bytes_in += bytes;
  }
  void Opened() {
    MutexLock lock(mutex_);
    counters_.open = counters_.open + 1;
  }
  // `was_open`: Opened was called for the link.
  void Ended(bool was_open, bool by_this_side) {
    MutexLock lock(mutex_);
    if (was_open) counters_.open = counters_.open - 1;
    ++(by_this_side ? counters_.closed
       : was_open   ? counters_.lost
                    : counters_.unreachable);
  }
  void HasRoomAgain() {
    MutexLock lock(mutex_);
    ++counters_.full;
  }
  // Any thread may read.
  const LinkCounters& counters() const { return counters_; }

 private:
  Mutex mutex_;            // For writing.
  LinkCounters counters_;  // Its numbers are atomic.
};

}  // namespace apollo
