// Tests of the conditions for NCCL: the library, the host, and both workers.
#include "link/nccl/nccl_setup.h"

#include <gtest/gtest.h>

#include <fstream>

#include "link/nccl/fake_nccl.h"
#include "link/nccl/host_id.h"
#include "link/nccl/nccl_library.h"
#include "link/nccl/transport_check.h"

namespace apollo {
namespace {

std::string Write(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + "/" + name;
  std::ofstream(path) << text << "\n";
  return path;
}

TEST(NcclLibraryTest, AMissingLibraryIsNamed) {
  const auto api = LoadNccl({"libnccl-that-is-not-there.so.2"});
  EXPECT_EQ(api.status().code(), absl::StatusCode::kNotFound);
  for (const char* part : {"libnccl-that-is-not-there.so.2", "2.28.0"}) {
    EXPECT_NE(api.status().message().find(part), std::string::npos)
        << api.status();
  }
}

TEST(NcclLibraryTest, AnotherLibraryIsRefused) {
  const auto api = LoadNccl({"libm.so.6"});
  EXPECT_EQ(api.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(api.status().message().find("ncclGetVersion"), std::string::npos);
}

TEST(NcclLibraryTest, RowsCannotLeaveTheInterface) {
  setenv("NCCL_SOCKET_IFNAME", "eth0", 1);
  setenv("NCCL_IB_HCA", "mlx5", 1);
  setenv("NCCL_COMM_BLOCKING", "1", 1);
  EXPECT_FALSE(LoadNccl({"libm.so.6"}).ok());
  EXPECT_STREQ(getenv("NCCL_SOCKET_IFNAME"), "=lo");
  EXPECT_STREQ(getenv("NCCL_IB_DISABLE"), "1");
  EXPECT_STREQ(getenv("NCCL_COMM_BLOCKING"), "0");
}

TEST(NcclSetupTest, AWorkerWithoutNcclStarts) {
  FakeNccl nccl;
  const NcclLinkOptions options =
      SetUpNccl(nccl.NewDevice(0), {"libnccl-that-is-not-there.so.2"}, false);
  EXPECT_EQ(options.api, nullptr);
  EXPECT_NE(options.device, nullptr);
  EXPECT_EQ(options.transport, DeviceTransport{});
}

TEST(NcclApiTest, NamesVersionsAndResults) {
  EXPECT_EQ(NcclVersionName(22809), "2.28.9");
  EXPECT_EQ(NcclVersionName(23203), "2.32.3");
  EXPECT_EQ(NcclResultName(NcclResult::kRemoteError), "ncclRemoteError");
  EXPECT_EQ(NcclResultName(NcclResult{99}), "ncclResult 99");
}

TEST(HostIdTest, DiffersWithEachOfItsParts) {
  const HostIdPaths paths{Write("boot", "a"), testing::TempDir(),
                          Write("net", "")};
  const std::string id = HostId(paths);
  EXPECT_EQ(id.size(), 64u);
  EXPECT_EQ(HostId(paths), id);
  HostIdPaths other = paths;
  other.boot_id = Write("boot2", "b");
  EXPECT_NE(HostId(other), id);
  other = paths;
  other.shared_memory = "/";
  EXPECT_NE(HostId(other), id);
  other = paths;
  other.network = Write("net2", "");
  EXPECT_NE(HostId(other), id);
  other.network = "/not/there";
  EXPECT_EQ(HostId(other), "");
  setenv("NCCL_HOSTID", "another", 1);
  EXPECT_NE(HostId(paths), id);
  EXPECT_EQ(HostId(other), "");
  unsetenv("NCCL_HOSTID");
}

TEST(HostIdTest, ThisHostHasOne) { EXPECT_EQ(HostId().size(), 64u); }

void ExpectRefused(const DeviceTransport& a, const DeviceTransport& b,
                   std::initializer_list<const char*> parts) {
  const absl::Status status = CheckTransport(a, b);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(CheckTransport(b, a).ok());
  for (const char* part : parts) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status;
  }
}

TEST(TransportCheckTest, NeedsTheSameVersionAndHostAndTwoDevices) {
  const DeviceTransport a{22809, "h", "0000:01", false};
  const DeviceTransport b{22809, "h", "0000:02", false};
  EXPECT_TRUE(CheckTransport(a, b).ok());
  ExpectRefused(a, {}, {"the peer has no NCCL"});
  ExpectRefused({}, a, {"this worker has no NCCL"});
  ExpectRefused(a, {23203, "h", "0000:02", false}, {"2.28.9", "2.32.3"});
  ExpectRefused(a, a, {"0000:01"});
  ExpectRefused(a, {22809, "i", "0000:01", true}, {"--nccl_across_hosts"});
  // Nobody knows where these are.
  ExpectRefused({22809, "", "0000:01", false}, {22809, "", "0000:02", false},
                {"--nccl_across_hosts"});
}

TEST(TransportCheckTest, AcrossHostsBothMustWantIt) {
  const DeviceTransport a{22809, "h", "0000:01", true};
  EXPECT_TRUE(CheckTransport(a, {22809, "i", "0000:01", true}).ok());
  ExpectRefused(a, {22809, "i", "0000:01", false}, {"it does not have"});
}

}  // namespace
}  // namespace apollo
