#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <prometheus/registry.h>

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "common/log.h"
#include "serving/membership.h"
#include "serving/server.h"

namespace apollo {

// What every process of the cluster has around its role, whichever that is: its
// metrics, the list of the workers that it calls, and its server. A process
// makes the frame first, then its role, begins, runs until it is asked to stop,
// and closes the frame before what serves and listens goes away. Used by one
// thread.
class ProcessFrame {
 public:
  // `workers` is the flag that lists the workers to call
  // (serving/membership.h); empty: none. Nothing is served or read yet. Errors
  // as Membership::Parse's.
  static absl::StatusOr<std::unique_ptr<ProcessFrame>> Make(
      std::string_view workers);
  ~ProcessFrame();

  // Outlives all that the frame has; for what registers metrics.
  const std::shared_ptr<prometheus::Registry>& registry() const {
    return registry_;
  }
  // Returns true if the list names no worker and never will.
  bool NamesNoWorker() const { return members_->NamesNobody(); }

  // Takes the server, which serves from now on, tells `workers` (may be null)
  // the list and each change, and logs "started" with the addresses and
  // `facts`. Call once. What the listener and the services use must be there
  // until Close. Returns the server's error, if it is one.
  absl::Status Begin(absl::StatusOr<std::unique_ptr<Server>> server,
                     Membership::Listener workers,
                     const std::vector<LogField>& facts);

  // Serves until SIGTERM or SIGINT, health following ready(), which must not
  // block. Then calls drain(), if there is one, and stops the server: calls in
  // progress may take `grace` to end.
  void RunUntilStopped(const std::function<bool()>& ready, absl::Duration grace,
                       const std::function<void()>& drain = nullptr);

  // Ends what Begin began: neither the listener nor a service is called again.
  void Close();

 private:
  explicit ProcessFrame(std::unique_ptr<Membership> members);

  const std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<Membership> members_;
  std::unique_ptr<Server> server_;
};

}  // namespace apollo
