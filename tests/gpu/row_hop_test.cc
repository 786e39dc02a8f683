// The rows of a hop come back as they were, over the fake NCCL and over the
// host; and the end of a link is noticed.
#include "tests/gpu/row_hop.h"

#include <gtest/gtest.h>

#include <cstring>
#include <utility>
#include <vector>

#include "link/insecure_channel.h"
#include "link/nccl/fake_nccl.h"
#include "link/nccl/nccl_links.h"

namespace apollo {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(1);

// Rows in the memory of a fake device, which is the host's under another name.
Rows DeviceRows(std::vector<float> numbers, int width, int device) {
  auto rows =
      std::make_shared<Rows>(Rows::FromVector(std::move(numbers), width));
  return Rows(rows->data(), rows->rows(), rows->width(), RowType::kF32,
              {Device::Kind::kCuda, device}, rows);
}

UploadRows UploadTo(int device) {
  return [device](const Rows& rows) -> absl::StatusOr<Rows> {
    return DeviceRows({rows.host().begin(), rows.host().end()}, rows.width(),
                      device);
  };
}

std::vector<float> NumbersOnDevice(const Rows& rows) {
  EXPECT_EQ(rows.device().kind, Device::Kind::kCuda);
  std::vector<float> numbers(rows.numbers());
  std::memcpy(numbers.data(), rows.data(), rows.bytes());
  return numbers;
}

class RowHopTest : public testing::Test {
 protected:
  NcclLinkOptions Options(int end, bool with_nccl) {
    NcclLinkOptions options;
    options.device = nccl_.NewDevice(end);
    if (with_nccl) {
      options.api = nccl_.Api();
      options.transport = {22809, "host", options.device->id(), false};
    }
    return options;
  }

  // Dials the far end, which always has NCCL.
  void Dial(bool with_nccl) {
    far_ = std::make_unique<NcclLinks>(Options(1, true), absl::ZeroDuration());
    near_ = std::make_unique<NcclLinks>(Options(0, with_nccl),
                                        absl::ZeroDuration());
    acceptor_ = std::make_unique<NcclAcceptor>(*far_, echo_);
    service_ = std::make_unique<GrpcLinkService>(*acceptor_);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    link_ = near_->Wrap(MakeGrpcDialer(Insecure))(
        "127.0.0.1:" + std::to_string(port), hop_);
    hop_->Begin(link_);
  }
  void TearDown() override {
    link_->Close();
    hop_->WaitForEnd(kPatience).IgnoreError();
    near_->Watch();  // Lets go of links that have ended.
    far_->Watch();
    server_->Shutdown();
    EXPECT_EQ(nccl_.violations(), 0);
  }
  void ExpectTheSameBack(const std::vector<float>& numbers, int width) {
    const auto back =
        hop_->ThereAndBack(DeviceRows(numbers, width, 0), kPatience);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(NumbersOnDevice(*back), numbers);
  }

  FakeNccl nccl_;
  RowEcho echo_{UploadTo(1)};
  std::shared_ptr<RowHop> hop_ = std::make_shared<RowHop>(UploadTo(0));
  std::unique_ptr<NcclLinks> far_, near_;
  std::unique_ptr<NcclAcceptor> acceptor_;
  std::unique_ptr<GrpcLinkService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<Link> link_;
};

TEST_F(RowHopTest, RowsComeBackFromDeviceToDevice) {
  Dial(/*with_nccl=*/true);
  // Until the paths are open, rows travel over the host.
  do {
    ExpectTheSameBack({1, 2, 3, 4, 5, 6}, 3);
  } while (hop_->came_inline() && !HasFailure());
  EXPECT_GT(nccl_.ended(), 0);
  ExpectTheSameBack({7, 8}, 2);
  EXPECT_FALSE(hop_->came_inline());
}

TEST_F(RowHopTest, RowsComeBackOverTheHost) {
  Dial(/*with_nccl=*/false);
  ExpectTheSameBack({1, 2, 3, 4, 5, 6}, 3);
  EXPECT_TRUE(hop_->came_inline());
  EXPECT_EQ(nccl_.ended(), 0);
}

TEST_F(RowHopTest, TheEndOfTheOtherIsNoticed) {
  Dial(/*with_nccl=*/false);
  ExpectTheSameBack({1, 2}, 2);
  EXPECT_EQ(hop_->WaitForEnd(absl::ZeroDuration()).code(),
            absl::StatusCode::kDeadlineExceeded);
  server_->Shutdown(std::chrono::system_clock::now());
  EXPECT_FALSE(hop_->WaitForEnd(kPatience).ok());
  const auto back = hop_->ThereAndBack(DeviceRows({1, 2}, 2, 0), kPatience);
  EXPECT_FALSE(back.ok());
}

}  // namespace
}  // namespace apollo
