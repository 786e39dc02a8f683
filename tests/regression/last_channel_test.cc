// A link whose peer is unreachable ends in a gRPC thread, and its channel with
// it. If that were the last channel of the process, gRPC would destroy its
// completion queue and that very thread: a double free, which --config=asan
// detects.

#include <gtest/gtest.h>

#include <memory>

#include "common/mutex.h"
#include "link/grpc_link.h"
#include "serving/server.h"

namespace apollo {
namespace {

class Closed final : public FrameHandler {
 public:
  void OnFrame(Frame) override { ADD_FAILURE() << "a frame from nobody"; }
  void OnClosed(absl::Status) override {
    MutexLock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  void Wait() {
    MutexLock lock(mutex_);
    while (!closed_) changed_.wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

TEST(LastChannelTest, MayGoInACallback) {
  const Dialer dial = MakeGrpcDialer(MakeClusterChannel);
  for (int round = 0; round < 20; ++round) {
    const auto handler = std::make_shared<Closed>();
    dial("127.0.0.1:1", handler);  // Nobody listens there; the link is dropped.
    handler->Wait();
  }
}

}  // namespace
}  // namespace apollo
