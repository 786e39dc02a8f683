#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "link/grpc_link.h"
#include "link/in_process_link.h"
#include "link/insecure_channel.h"

namespace apollo {

// Open links for tests, of both kinds.

// Keeps the frames that it receives.
class Recorder final : public FrameHandler {
 public:
  // A frame that is not kept ends after the lock.
  void OnFrame(Frame frame) override {
    MutexLock lock(mutex_);
    EXPECT_TRUE(closed_.empty()) << "a frame after OnClosed";
    if (keeping_) frames_.push_back(std::move(frame));
    changed_.notify_all();
  }
  void OnClosed(absl::Status status) override {
    MutexLock lock(mutex_);
    closed_.push_back(std::move(status));
    changed_.notify_all();
  }
  void OnWritable() override {
    MutexLock lock(mutex_);
    EXPECT_TRUE(closed_.empty()) << "room after OnClosed";
    ++writable_;
    changed_.notify_all();
  }
  std::vector<Frame> WaitForFrames(std::size_t count) {
    MutexLock lock(mutex_);
    while (frames_.size() < count && closed_.empty()) changed_.wait(mutex_);
    std::vector<Frame> frames;
    for (const Frame& frame : frames_) {
      frames.push_back(
          {frame.body, frame.payload.Slice(0, frame.payload.rows())});
    }
    return frames;
  }
  // Drops the frames that have arrived.
  void Forget() {
    std::vector<Frame> frames;  // A frame's end may call the other recorder.
    MutexLock lock(mutex_);
    frames.swap(frames_);
  }
  // Drops all frames, and those that arrive from now on.
  void StopKeeping() {
    std::vector<Frame> frames;
    MutexLock lock(mutex_);
    keeping_ = false;
    frames.swap(frames_);
  }
  void WaitForWritable() {
    MutexLock lock(mutex_);
    while (writable_ == 0 && closed_.empty()) changed_.wait(mutex_);
  }
  absl::Status WaitForClosed() {
    MutexLock lock(mutex_);
    while (closed_.empty()) changed_.wait(mutex_);
    return closed_[0];
  }
  std::size_t times_closed() {
    MutexLock lock(mutex_);
    return closed_.size();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool keeping_ ABSL_GUARDED_BY(mutex_) = true;
  std::vector<Frame> frames_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::Status> closed_ ABSL_GUARDED_BY(mutex_);
  int writable_ ABSL_GUARDED_BY(mutex_) = 0;
};

// An open link, with a recorder at each end.
class Pair {
 public:
  virtual ~Pair() = default;
  std::shared_ptr<Recorder> at[2] = {std::make_shared<Recorder>(),
                                     std::make_shared<Recorder>()};
  std::shared_ptr<Link> link[2];
};

class InProcessPair final : public Pair {
 public:
  explicit InProcessPair(LinkLimits limits = {}) {
    std::tie(link[0], link[1]) = MakeInProcessLink(at[0], at[1], limits);
  }
};

// A server that accepts links, or refuses them.
class LinkServer final : private LinkAcceptor {
 public:
  explicit LinkServer(std::shared_ptr<FrameHandler> handler,
                      LinkLimits limits = {}, WorkerProof proof = nullptr)
      : handler_(std::move(handler)),
        service_(*this, limits, std::move(proof)) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~LinkServer() { Shutdown(); }
  void Shutdown() { server_->Shutdown(std::chrono::system_clock::now()); }
  const std::string& address() const { return address_; }
  std::shared_ptr<Link> WaitForLink() {
    MutexLock lock(mutex_);
    while (!link_) changed_.wait(mutex_);
    return link_;
  }

 private:
  std::shared_ptr<FrameHandler> OnAccept(std::shared_ptr<Link> link) override {
    MutexLock lock(mutex_);
    link_ = std::move(link);
    changed_.notify_all();
    return handler_;
  }

  const std::shared_ptr<FrameHandler> handler_;
  GrpcLinkService service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  Mutex mutex_;
  CondVar changed_;
  std::shared_ptr<Link> link_;
};

class GrpcPair final : public Pair {
 public:
  explicit GrpcPair(LinkLimits limits = {}) : server_(at[1], limits) {
    link[0] = MakeGrpcDialer(Insecure, limits)(server_.address(), at[0]);
    link[1] = server_.WaitForLink();
  }
  ~GrpcPair() override {
    link[0]->Close();
    at[0]->WaitForClosed().IgnoreError();
    at[1]->WaitForClosed().IgnoreError();
  }

 private:
  LinkServer server_;
};

}  // namespace apollo
