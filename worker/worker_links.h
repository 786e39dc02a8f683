#pragma once

#include <absl/status/statusor.h>
#include <prometheus/collectable.h>

#include <memory>
#include <optional>
#include <vector>

#include "common/rows.h"
#include "link/grpc_link.h"
#include "link/link.h"
#include "link/nccl/nccl_links.h"
#include "serving/nccl_flags.h"
#include "worker/link_counters.h"
#include "worker/path_counters.h"

namespace apollo {

// Makes the links of a worker process fit its device. A stage on a CPU has its
// rows in host memory, and the links stay what they are. The rows of a stage on
// a GPU travel by NCCL where both workers can, and are copied to the host
// elsewhere (link/nccl): no other link ever gets rows of a GPU. All frames are
// counted.
//
// Outlives everything that it returns, and the links. Single-threaded.
class WorkerLinks {
 public:
  // Opens the GPU and loads NCCL; without NCCL, all rows are copied. Call it
  // before the process has threads. Returns the errors of MakeCudaDevice, and
  // INVALID_ARGUMENT for flags of NCCL without a GPU; all name the flag.
  static absl::StatusOr<std::unique_ptr<WorkerLinks>> Open(
      Device device, const NcclFlags& flags);

  // For a GPU as `gpu` describes it; nothing: for a CPU.
  explicit WorkerLinks(std::optional<NcclLinkOptions> gpu);

  // Returns a dialer for links over those of `dialer`.
  Dialer Wrap(Dialer dialer);
  // Returns an acceptor that passes links, over those which it gets, to
  // `acceptor`.
  LinkAcceptor& Wrap(LinkAcceptor& acceptor);

  // Must not be collected after this object is destroyed: the metrics of device
  // paths, and those of the links under them.
  std::shared_ptr<prometheus::Collectable> metrics() const { return metrics_; }
  std::shared_ptr<prometheus::Collectable> link_metrics() const {
    return link_metrics_;
  }

 private:
  PathCounting counting_;
  const std::shared_ptr<prometheus::Collectable> metrics_;
  LinkCounting link_counting_;
  const std::shared_ptr<prometheus::Collectable> link_metrics_;
  std::unique_ptr<NcclLinks> links_;  // Null on a CPU.
  std::vector<std::unique_ptr<LinkAcceptor>> acceptors_;
};

}  // namespace apollo
