#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "common/fake_clock.h"
#include "common/mutex.h"
#include "link/in_process_link.h"
#include "link/link_pair.h"
#include "link/nccl/fake_nccl.h"
#include "link/nccl/nccl_link.h"

namespace apollo {

// Links with a device path over the fake NCCL, for tests.

// Sends rows from the memory of a fake device, as a stage on a GPU would.
class UploadingLink final : public Link {
 public:
  UploadingLink(std::shared_ptr<Link> link, Device device)
      : link_(std::move(link)), device_(device) {}
  void Send(Frame frame) override {
    if (!frame.payload.empty()) {
      auto rows = std::make_shared<Rows>(std::move(frame.payload));
      frame.payload = Rows(rows->data(), rows->rows(), rows->width(),
                           rows->type(), device_, rows);
    }
    link_->Send(std::move(frame));
  }
  bool HasRoom() override { return link_->HasRoom(); }
  void Close() override { link_->Close(); }

 private:
  const std::shared_ptr<Link> link_;
  const Device device_;
};

// Copies rows that came in the memory of a fake device to the host, and keeps
// the former as long as the frame. Counts both kinds.
class DownloadingHandler final : public FrameHandler {
 public:
  explicit DownloadingHandler(std::shared_ptr<FrameHandler> handler)
      : handler_(std::move(handler)) {}
  void OnFrame(Frame frame) override {
    const bool on_host = frame.payload.device().kind == Device::Kind::kHost;
    if (!frame.payload.empty()) {
      MutexLock lock(mutex_);
      ++(on_host ? inline_ : by_device_);
    }
    if (!on_host) {
      Rows copy = Rows::Host(frame.payload.rows(), frame.payload.width());
      std::memcpy(copy.data(), frame.payload.data(), copy.bytes());
      frame.receipt = std::make_shared<std::pair<std::shared_ptr<void>, Rows>>(
          std::move(frame.receipt), std::move(frame.payload));
      frame.payload = std::move(copy);
    }
    handler_->OnFrame(std::move(frame));
  }
  void OnPiece() override { handler_->OnPiece(); }
  void OnWritable() override { handler_->OnWritable(); }
  void OnClosed(absl::Status status) override {
    handler_->OnClosed(std::move(status));
  }
  int by_device() {
    MutexLock lock(mutex_);
    return by_device_;
  }
  int by_host() {
    MutexLock lock(mutex_);
    return inline_;
  }

 private:
  const std::shared_ptr<FrameHandler> handler_;
  Mutex mutex_;
  int by_device_ ABSL_GUARDED_BY(mutex_) = 0;
  int inline_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Counts the changes of paths, by end and direction, and the bytes of rows that
// each end has sent.
class PathLog {
 public:
  // Has the links of an end report here.
  void Watch(int end, NcclLinkOptions& options) {
    options.path_changed = [this, end](bool outgoing, PathChange change) {
      MutexLock lock(mutex_);
      ++count_[end][outgoing][static_cast<int>(change)];
      changed_.notify_all();
    };
    options.rows_sent = [this, end](RowsPath path, std::size_t bytes) {
      MutexLock lock(mutex_);
      bytes_[end][static_cast<int>(path)] += bytes;
      changed_.notify_all();
    };
  }
  void WaitFor(int end, bool outgoing, PathChange change, int times = 1) {
    MutexLock lock(mutex_);
    while (count_[end][outgoing][static_cast<int>(change)] < times) {
      changed_.wait(mutex_);
    }
  }
  // Waits until an end has sent so many bytes, on either path, and expects no
  // more.
  void WaitForBytes(int end, std::size_t bytes) {
    MutexLock lock(mutex_);
    while (bytes_[end][0] + bytes_[end][1] < bytes) changed_.wait(mutex_);
    EXPECT_EQ(bytes_[end][0] + bytes_[end][1], bytes);
  }
  std::size_t bytes(int end, RowsPath path) {
    MutexLock lock(mutex_);
    return bytes_[end][static_cast<int>(path)];
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int count_[2][2][4] ABSL_GUARDED_BY(mutex_) = {};
  std::size_t bytes_[2][2] ABSL_GUARDED_BY(mutex_) = {};
};

struct NcclPairOptions {
  LinkLimits limits;
  NcclLimits nccl_limits;
  DeviceTransport transport[2] = {{22809, "host", "fake-0", false},
                                  {22809, "host", "fake-1", false}};
};

// Two ends with a device each, not joined yet.
class NcclPair : public Pair {
 public:
  explicit NcclPair(NcclPairOptions options = {}) {
    for (const int end : {0, 1}) {
      device[end] = nccl.NewDevice(end);
      NcclLinkOptions made;
      made.api = nccl.Api();
      made.device = device[end];
      made.transport = options.transport[end];
      made.nccl_limits = options.nccl_limits;
      made.limits = options.limits;
      made.clock = &clock;
      paths.Watch(end, made);
      core[end] = std::make_shared<NcclLink>(std::move(made));
      handler[end] = std::make_shared<DownloadingHandler>(at[end]);
      core[end]->SetHandler(handler[end]);
      link[end] =
          std::make_shared<UploadingLink>(core[end], device[end]->device());
    }
  }
  ~NcclPair() override {
    for (const int end : {0, 1}) {
      link[end] = nullptr;
      at[end]->StopKeeping();
      // The carrier may have a handle for a moment longer.
      core[end]->Stop();
      core[end]->Join();
    }
    EXPECT_EQ(nccl.violations(), 0);
    EXPECT_EQ(nccl.communicators_open(), 0);
    EXPECT_EQ(nccl.memory_in_use(), 0u);
  }

  // Closes the link; frames that are kept must not hold up the end.
  void CloseAndWait() {
    link[0]->Close();
    for (const int end : {0, 1}) {
      at[end]->StopKeeping();
      at[end]->WaitForClosed().IgnoreError();
    }
  }
  void SayHello() {
    for (const int end : {0, 1}) {
      WorkerInfo info;
      info.name = "worker-" + std::to_string(end);
      core[end]->Send({info});
    }
    for (const int end : {0, 1}) {
      at[end]->WaitForFrames(1);
      at[end]->Forget();
    }
  }
  void WaitForPaths() {
    for (const int end : {0, 1}) {
      for (const bool outgoing : {false, true}) {
        paths.WaitFor(end, outgoing, PathChange::kOpened);
      }
    }
  }
  // Lets time pass, for both ends.
  void Pass(absl::Duration time) {
    clock.Pass(time);
    for (const int end : {0, 1}) core[end]->Watch();
  }

  SharedClock clock;
  FakeNccl nccl;
  PathLog paths;
  std::shared_ptr<LinkDevice> device[2];
  std::shared_ptr<DownloadingHandler> handler[2];
  std::shared_ptr<NcclLink> core[2];
};

// Carried by a link in process.
class InProcessNcclPair final : public NcclPair {
 public:
  explicit InProcessNcclPair(NcclPairOptions options = {})
      : NcclPair(std::move(options)) {
    const auto [first, second] = MakeInProcessLink(core[0], core[1]);
    core[0]->SetCarrier(first);
    core[1]->SetCarrier(second);
    SayHello();
  }
  ~InProcessNcclPair() override { CloseAndWait(); }
};

// Carried by gRPC, with all paths open.
class GrpcNcclPair final : public NcclPair {
 public:
  explicit GrpcNcclPair(LinkLimits limits = {})
      : NcclPair(Options(limits)), server_(core[1], limits) {
    core[0]->SetCarrier(
        MakeGrpcDialer(Insecure, limits)(server_.address(), core[0]));
    // The server hears of the call with the first frame.
    core[1]->SetCarrier(server_.WaitForLink());
    SayHello();
    WaitForPaths();
  }
  ~GrpcNcclPair() override { CloseAndWait(); }

 private:
  static NcclPairOptions Options(LinkLimits limits) {
    NcclPairOptions options;
    options.limits = limits;
    options.nccl_limits.ring_bytes = std::size_t{8} << 20;
    return options;
  }
  LinkServer server_;
};

}  // namespace apollo
