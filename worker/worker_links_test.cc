#include "worker/worker_links.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <string>
#include <thread>
#include <utility>

#include "common/fake_clock.h"
#include "common/has_cuda.h"
#include "common/rows_testing.h"
#include "link/in_process_link.h"
#include "link/nccl/nccl_pair.h"

namespace apollo {
namespace {

// Dials an acceptor in this process.
class Switchboard {
 public:
  explicit Switchboard(LinkAcceptor& acceptor) : acceptor_(acceptor) {}
  Dialer dialer() {
    return [this](const std::string&, std::shared_ptr<FrameHandler> handler) {
      // The accepting side learns of the link before its handler is known.
      auto late = std::make_shared<LateHandler>();
      const auto [near, far] = MakeInProcessLink(std::move(handler), late);
      late->handler = acceptor_.OnAccept(far);
      return near;
    };
  }

 private:
  struct LateHandler final : public FrameHandler {
    void OnFrame(Frame frame) override { handler->OnFrame(std::move(frame)); }
    void OnWritable() override { handler->OnWritable(); }
    void OnClosed(absl::Status status) override {
      handler->OnClosed(std::move(status));
    }
    std::shared_ptr<FrameHandler> handler;
  };
  LinkAcceptor& acceptor_;
};

class Acceptor final : public LinkAcceptor {
 public:
  explicit Acceptor(std::shared_ptr<FrameHandler> handler)
      : handler_(std::move(handler)) {}
  std::shared_ptr<FrameHandler> OnAccept(std::shared_ptr<Link> made) override {
    link = std::move(made);
    return handler_;
  }
  std::shared_ptr<Link> link;

 private:
  const std::shared_ptr<FrameHandler> handler_;
};

bool HasMetric(const WorkerLinks& links, const std::string& line) {
  const std::string text =
      prometheus::TextSerializer().Serialize(links.metrics()->Collect());
  return text.find("\n" + line + "\n") != std::string::npos;
}
// Waits for the threads of links.
void WaitForMetric(const WorkerLinks& links, const std::string& line) {
  while (!HasMetric(links, line)) std::this_thread::yield();
}

class WorkerLinksTest : public testing::Test {
 protected:
  // Has a GPU, and NCCL if `nccl`.
  NcclLinkOptions Gpu(int end, bool nccl) {
    NcclLinkOptions options;
    options.device = nccl_.NewDevice(end);
    options.clock = &clock_;  // No path is given up, however late its threads.
    if (!nccl) return options;
    options.api = nccl_.Api();
    options.transport = {22809, "host", options.device->id(), false};
    return options;
  }
  // Links two workers and has both say hello.
  void Join(WorkerLinks& near, WorkerLinks& far) {
    board_ = std::make_unique<Switchboard>(far.Wrap(acceptor_));
    near_ = near.Wrap(board_->dialer())("", at_[0]);
    near_->Send({WorkerInfo{}});
    acceptor_.link->Send({WorkerInfo{}});
    for (const auto& at : at_) at->WaitForFrames(1);
  }
  // Sends 8 bytes in the memory of a GPU.
  void SendFromGpu() {
    UploadingLink(near_, {Device::Kind::kCuda, 0})
        .Send({ExpertRows{1, 2, 3}, Rows::FromVector({4, 5}, 2)});
    EXPECT_EQ(Numbers(at_[1]->WaitForFrames(2)[1].payload),
              (std::vector<float>{4, 5}));
  }
  void Close() {
    near_->Close();
    for (const auto& at : at_) {
      at->WaitForClosed().IgnoreError();
      at->StopKeeping();
    }
    near_ = acceptor_.link = nullptr;
  }

  SharedClock clock_;
  FakeNccl nccl_;
  std::shared_ptr<Recorder> at_[2] = {std::make_shared<Recorder>(),
                                      std::make_shared<Recorder>()};
  Acceptor acceptor_{std::make_shared<DownloadingHandler>(at_[1])};
  std::unique_ptr<Switchboard> board_;
  std::shared_ptr<Link> near_;
};

TEST_F(WorkerLinksTest, RowsTravelByNcclBetweenTwoWorkersThatHaveIt) {
  WorkerLinks near(Gpu(0, true)), far(Gpu(1, true));
  Join(near, far);
  WaitForMetric(near, "apollo_device_paths_open{direction=\"out\"} 1");
  WaitForMetric(far, "apollo_device_paths_open{direction=\"in\"} 1");
  SendFromGpu();
  WaitForMetric(near, "apollo_device_bytes_sent_total{path=\"nccl\"} 8");
  EXPECT_TRUE(
      HasMetric(near, "apollo_device_bytes_sent_total{path=\"copy\"} 0"));
  Close();
  WaitForMetric(near, "apollo_device_paths_open{direction=\"out\"} 0");
  EXPECT_TRUE(
      HasMetric(near, "apollo_device_path_faults_total{direction=\"out\"} 0"));
}

TEST_F(WorkerLinksTest, RowsAreCopiedToAWorkerWithoutNccl) {
  WorkerLinks near(Gpu(0, true)), far(Gpu(1, false));
  Join(near, far);
  SendFromGpu();
  WaitForMetric(near, "apollo_device_bytes_sent_total{path=\"copy\"} 8");
  Close();
}

TEST_F(WorkerLinksTest, RowsAreCopiedToAWorkerOnACpu) {
  WorkerLinks near(Gpu(0, true)), far(std::nullopt);
  Join(near, far);
  SendFromGpu();
  WaitForMetric(near, "apollo_device_bytes_sent_total{path=\"copy\"} 8");
  Close();
}

TEST_F(WorkerLinksTest, OnACpuLinksAreOnlyCounted) {
  const auto near = WorkerLinks::Open(Device(), NcclFlags());
  ASSERT_TRUE(near.ok()) << near.status();
  const auto far = WorkerLinks::Open(Device(), NcclFlags());
  ASSERT_TRUE(far.ok()) << far.status();
  Join(**near, **far);
  const auto counts = [](const WorkerLinks& links, const std::string& line) {
    const std::string text =
        prometheus::TextSerializer().Serialize(links.link_metrics()->Collect());
    return text.find("\n" + line + "\n") != std::string::npos;
  };
  EXPECT_TRUE(counts(**near, "apollo_links_open 1"));
  EXPECT_TRUE(counts(**far, "apollo_links_open 1"));
  Close();
  EXPECT_TRUE(counts(**near, "apollo_links_open 0"));
}

TEST_F(WorkerLinksTest, AGpuThatDoesNotExistIsRefused) {
  const absl::Status status =
      WorkerLinks::Open({Device::Kind::kCuda, 1000}, NcclFlags()).status();
  EXPECT_EQ(status.code(), kHasCuda ? absl::StatusCode::kNotFound
                                    : absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("--device=cuda:1000: "), std::string::npos)
      << status;
}

TEST_F(WorkerLinksTest, FlagsOfNcclNeedAGpu) {
  NcclFlags flags;
  flags.across_hosts = true;
  flags.interface = "eth1";
  const absl::Status status = WorkerLinks::Open(Device(), flags).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("--nccl_across_hosts is set"),
            std::string::npos)
      << status;
}

}  // namespace
}  // namespace apollo
