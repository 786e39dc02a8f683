#include "worker/worker_links.h"

#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include <utility>

#include "engine/worker_device.h"
#include "link/nccl/cuda_device.h"
#include "link/nccl/nccl_setup.h"
#include "serving/counter_collector.h"
#include "worker/counted_link.h"

namespace apollo {
namespace {

// Less than all of NcclLimits.
constexpr absl::Duration kWatchInterval = absl::Milliseconds(50);

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerLinks>> WorkerLinks::Open(
    Device device, const NcclFlags& flags) {
  if (!IsGpu(device)) {
    if (flags.across_hosts) {
      return absl::InvalidArgumentError(
          "--nccl_across_hosts is set with --device=cpu, which never uses "
          "NCCL; the flag needs --device=cuda:N");
    }
    return std::make_unique<WorkerLinks>(std::nullopt);
  }
  absl::StatusOr<std::shared_ptr<LinkDevice>> gpu =
      MakeCudaDevice(device.index);
  if (!gpu.ok()) {
    return absl::Status(gpu.status().code(),
                        absl::StrCat("--device=", DeviceName(device), ": ",
                                     gpu.status().message()));
  }
  NcclLibraryOptions library;
  library.interface = flags.interface;
  return std::make_unique<WorkerLinks>(
      SetUpNccl(*std::move(gpu), library, flags.across_hosts));
}

WorkerLinks::WorkerLinks(std::optional<NcclLinkOptions> gpu)
    : metrics_(std::make_shared<CounterCollector>(counting_.counters(),
                                                  kPathMetrics)),
      link_metrics_(std::make_shared<CounterCollector>(
          link_counting_.counters(), kLinkMetrics)) {
  if (!gpu) return;
  gpu->path_changed = [this](bool outgoing, PathChange change) {
    counting_.Changed(outgoing, change);
  };
  gpu->rows_sent = [this](RowsPath path, std::size_t bytes) {
    counting_.Sent(path, bytes);
  };
  links_ = std::make_unique<NcclLinks>(*std::move(gpu), kWatchInterval);
}

Dialer WorkerLinks::Wrap(Dialer dialer) {
  dialer = Counted(std::move(dialer), link_counting_);
  return links_ ? links_->Wrap(std::move(dialer)) : dialer;
}

LinkAcceptor& WorkerLinks::Wrap(LinkAcceptor& acceptor) {
  LinkAcceptor* outer = &acceptor;
  if (links_) {
    acceptors_.push_back(std::make_unique<NcclAcceptor>(*links_, acceptor));
    outer = acceptors_.back().get();
  }
  acceptors_.push_back(
      std::make_unique<CountedAcceptor>(*outer, link_counting_));
  return *acceptors_.back();
}

}  // namespace apollo
