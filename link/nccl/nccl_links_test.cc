#include "link/nccl/nccl_links.h"

#include <gtest/gtest.h>

#include "common/rows_testing.h"
#include "link/nccl/nccl_pair.h"

namespace apollo {
namespace {

// Accepts links with a handler, or refuses them.
class Acceptor final : public LinkAcceptor {
 public:
  explicit Acceptor(std::shared_ptr<FrameHandler> handler)
      : handler_(std::move(handler)) {}
  std::shared_ptr<FrameHandler> OnAccept(std::shared_ptr<Link> link) override {
    MutexLock lock(mutex_);
    link_ = std::move(link);
    changed_.notify_all();
    return handler_;
  }
  std::shared_ptr<Link> WaitForLink() {
    MutexLock lock(mutex_);
    while (!link_) changed_.wait(mutex_);
    return std::move(link_);
  }

 private:
  const std::shared_ptr<FrameHandler> handler_;
  Mutex mutex_;
  CondVar changed_;
  std::shared_ptr<Link> link_ ABSL_GUARDED_BY(mutex_);
};

// Two processes: one dials, the other serves.
class NcclLinksTest : public testing::Test {
 protected:
  NcclLinkOptions Options(int end) {
    NcclLinkOptions options;
    options.api = nccl_.Api();
    options.device = nccl_.NewDevice(end);
    options.transport = {22809, "host", options.device->id(), false};
    options.clock = &clock_;
    paths_.Watch(end, options);
    return options;
  }
  void Serve(LinkAcceptor& acceptor) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    service_ = std::make_unique<GrpcLinkService>(acceptor);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }

  SharedClock clock_;
  FakeNccl nccl_;
  PathLog paths_;
  std::shared_ptr<Recorder> at_[2] = {std::make_shared<Recorder>(),
                                      std::make_shared<Recorder>()};
  std::unique_ptr<GrpcLinkService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

TEST_F(NcclLinksTest, DialledAndAcceptedLinksOpenTheirPaths) {
  Acceptor acceptor(std::make_shared<DownloadingHandler>(at_[1]));
  NcclLinks dialling(Options(0), absl::ZeroDuration());
  NcclLinks serving(Options(1), absl::ZeroDuration());
  NcclAcceptor wrapped(serving, acceptor);
  Serve(wrapped);
  std::shared_ptr<Link> link =
      dialling.Wrap(MakeGrpcDialer(Insecure))(address_, at_[0]);
  std::shared_ptr<Link> other = acceptor.WaitForLink();
  link->Send({WorkerInfo{}});
  other->Send({WorkerInfo{}});
  at_[0]->WaitForFrames(1);
  paths_.WaitFor(0, true, PathChange::kOpened);
  UploadingLink(link, {Device::Kind::kCuda, 0})
      .Send({ExpertRows{1, 2, 3}, Rows::FromVector({4, 5}, 2)});
  EXPECT_EQ(Numbers(at_[1]->WaitForFrames(2)[1].payload),
            (std::vector<float>{4, 5}));
  EXPECT_EQ(nccl_.ended(), 1);
  paths_.WaitForBytes(0, 8);
  EXPECT_EQ(paths_.bytes(0, RowsPath::kNccl), 8u);
  // An id that the link has set.
  const Frame hello = std::move(at_[1]->WaitForFrames(2)[0]);
  EXPECT_EQ(std::get<WorkerInfo>(hello.body).device_transport,
            Options(0).transport);

  link->Close();
  at_[0]->WaitForClosed().IgnoreError();
  at_[1]->WaitForClosed().IgnoreError();
  at_[1]->StopKeeping();
  paths_.WaitFor(0, true, PathChange::kClosed);
  dialling.Watch();  // Lets go of links that have ended.
}

TEST_F(NcclLinksTest, ARefusedLinkIsUnavailable) {
  Acceptor acceptor(nullptr);
  NcclLinks dialling(Options(0), absl::ZeroDuration());
  NcclLinks serving(Options(1), absl::ZeroDuration());
  NcclAcceptor wrapped(serving, acceptor);
  Serve(wrapped);
  const std::shared_ptr<Link> link =
      dialling.Wrap(MakeGrpcDialer(Insecure))(address_, at_[0]);
  EXPECT_EQ(at_[0]->WaitForClosed().code(), absl::StatusCode::kUnavailable);
}

TEST_F(NcclLinksTest, TheWatchdogThreadEndsWithItsLinks) {
  NcclLinks links(Options(0), absl::Milliseconds(1));
  const std::shared_ptr<Link> link =
      links.Wrap([](const std::string&, std::shared_ptr<FrameHandler> handler) {
        handler->OnClosed(absl::UnavailableError("nobody is there"));
        return std::shared_ptr<Link>();
      })("", at_[0]);
  EXPECT_EQ(at_[0]->WaitForClosed().message(), "nobody is there");
}

}  // namespace
}  // namespace apollo
