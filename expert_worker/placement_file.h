#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/layer_experts.h"
#include "common/mutex.h"
#include "common/ticker.h"
#include "link/expert_directory.h"

namespace apollo {

// The experts of each worker, by name.
using Placement = std::map<std::string, LayerExperts, std::less<>>;

// Parses a placement file (docs/placement.md): a line for each worker, with its
// name, a colon, and its experts, such as
//
//   expert-worker-0: 0,4
//   expert-worker-1: 1,2,3 22=5 23=5,6
//   expert-worker-2: all
//
// Experts are those of every sparse layer; "LAYER=EXPERTS" adds some of one
// layer. Skips empty lines and lines that start with #. Returns
// INVALID_ARGUMENT naming the file, the line, and the part that is wrong.
absl::StatusOr<Placement> ParsePlacement(std::string_view text,
                                         std::string_view file,
                                         const SparseShape& shape);

// Reads and parses a file of at most 1 MiB. Returns ABORTED for an empty one,
// which is just being written.
absl::StatusOr<Placement> ReadPlacement(const std::string& file,
                                        const SparseShape& shape);

// Follows a placement file, which is read by a thread of its own, so that a
// disk that hangs blocks nothing else.
class PlacementWatch {
 public:
  // Receives each new placement, in a reading thread, one at a time; must
  // return soon.
  using Listener = absl::AnyInvocable<void(const Placement&)>;

  PlacementWatch(std::string file, const SparseShape& shape, Listener listener);

  // Reads the file now and every kInterval. Call at most once.
  void Start();
  // Reads the file once and passes a change on, as the thread does. A file that
  // differs from the last read may be half written: it counts once two reads
  // in a row are equal. With a file that cannot be read or parsed, the last
  // placement stays; the reason is logged once, until it changes. For tests,
  // instead of Start.
  void Refresh();

  // Reads the file and passes a change on at once: whoever asks for it knows
  // that the file is complete. Returns why what it says does not apply. Any
  // thread.
  absl::Status ReadNow();

  static constexpr absl::Duration kInterval = absl::Milliseconds(200);

 private:
  absl::Status Read(bool at_once);
  void Report(const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(reading_);

  const std::string file_;
  const SparseShape shape_;
  Listener listener_;
  Mutex reading_;  // Held while the file is read and passed on.
  std::string last_text_ ABSL_GUARDED_BY(reading_);
  std::optional<Placement> last_ ABSL_GUARDED_BY(reading_);
  absl::Status last_status_ ABSL_GUARDED_BY(reading_);
  std::optional<Ticker> ticker_;
};

}  // namespace apollo
