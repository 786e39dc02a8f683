// Measures and tests the link between two processes that share a GPU: 64 rows
// of the 7B model (459 KB in bf16) to the other process and back, over the host
// and by NCCL; the memory of a link with NCCL; and the loss of the other
// process. Prints lines of JSON. Usage: link_hop [--gpu=N]
//
// With --far=FILE it is the other process, which writes its address to FILE.
#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/strings/str_cat.h>
#include <cuda_runtime_api.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "common/json.h"
#include "common/status_macros.h"
#include "common/temp_folder.h"
#include "kernels/cuda/device.h"
#include "kernels/half.h"
#include "link/insecure_channel.h"
#include "link/nccl/cuda_device.h"
#include "link/nccl/nccl_links.h"
#include "link/nccl/nccl_setup.h"
#include "tests/e2e/child_process.h"
#include "tests/gpu/row_hop.h"

ABSL_FLAG(int, gpu, 0, "Index of the GPU that both processes use.");
ABSL_FLAG(std::string, far, "", "Only for the other process.");

namespace apollo {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kRows = 64, kWidth = 3584;
constexpr int kWarmUp = 20, kHops = 200;
constexpr absl::Duration kPatience = absl::Seconds(20);

double MillisecondsSince(SteadyClock::time_point begin) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - begin)
      .count();
}

void Print(const Json& figures) {
  std::printf("%s\n", figures.dump().c_str());
  std::fflush(stdout);
}

// Copies rows into memory that is used again after kSlots further rows. For one
// thread at a time.
class Uploader {
 public:
  explicit Uploader(std::shared_ptr<LinkDevice> device)
      : device_(std::move(device)) {}

  absl::StatusOr<Rows> operator()(const Rows& rows) {
    RETURN_IF_ERROR(device_->Use());
    std::shared_ptr<std::byte>& slot = slots_[next_++ % kSlots];
    if (!slot) {
      ASSIGN_OR_RETURN(slot, device_->Allocate(kRows * kWidth * sizeof(float)));
    }
    if (rows.bytes() > kRows * kWidth * sizeof(float)) {
      return absl::InvalidArgumentError(
          absl::StrCat("there are ", rows.bytes(), " bytes"));
    }
    RETURN_IF_ERROR(
        cuda::CudaStatus(cudaMemcpy(slot.get(), rows.data(), rows.bytes(),
                                    cudaMemcpyHostToDevice),
                         "the copy of rows"));
    return Rows(slot.get(), rows.rows(), rows.width(), rows.type(),
                device_->device(), slot);
  }

 private:
  static constexpr int kSlots = 4;
  const std::shared_ptr<LinkDevice> device_;
  std::shared_ptr<std::byte> slots_[kSlots];
  int next_ = 0;
};

UploadRows MakeUpload(const std::shared_ptr<LinkDevice>& device) {
  return [uploader = std::make_shared<Uploader>(device)](const Rows& rows) {
    return (*uploader)(rows);
  };
}

absl::StatusOr<std::shared_ptr<LinkDevice>> OpenLinkDevice() {
  ASSIGN_OR_RETURN(std::shared_ptr<LinkDevice> device,
                   MakeCudaDevice(absl::GetFlag(FLAGS_gpu)));
  RETURN_IF_ERROR(device->Use());
  // The context's memory must not count as that of a link.
  RETURN_IF_ERROR(cuda::CudaStatus(cudaFree(nullptr), "the context"));
  return device;
}

absl::Status RunFar(const std::string& address_file) {
  ASSIGN_OR_RETURN(const std::shared_ptr<LinkDevice> device, OpenLinkDevice());
  NcclLinks links(SetUpNccl(device, {}, /*across_hosts=*/true),
                  absl::Milliseconds(100));
  RowEcho echo(MakeUpload(device));
  NcclAcceptor acceptor(links, echo);
  GrpcLinkService service(acceptor);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return absl::UnavailableError("cannot listen");
  std::ofstream(address_file + ".new") << "127.0.0.1:" << port << "\n";
  std::filesystem::rename(address_file + ".new", address_file);
  server->Wait();  // Until it is killed.
  return absl::OkStatus();
}

absl::StatusOr<std::string> WaitForAddress(const std::string& path,
                                           ChildProcess& far) {
  const auto begin = SteadyClock::now();
  std::string address;
  while (!std::getline(std::ifstream(path), address)) {
    if (!far.Running() || MillisecondsSince(begin) > 30e3) {
      return absl::UnavailableError("the other process does not listen");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return address;
}

// Rows that differ everywhere, exact in bf16.
std::vector<std::uint16_t> Pattern() {
  std::vector<std::uint16_t> bits(kRows * kWidth);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    bits[i] = Bf16BitsFromF32(static_cast<float>((i * 7919) % 251) - 125.0f);
  }
  return bits;
}

absl::Status CheckBack(LinkDevice& device, const Rows& back) {
  ASSIGN_OR_RETURN(const Rows host, device.ToHost(back));
  const std::vector<std::uint16_t> expected = Pattern();
  if (host.numbers() != expected.size()) {
    return absl::DataLossError(
        absl::StrCat(host.numbers(), " numbers came back"));
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (host.host()[i] != F32FromBf16Bits(expected[i])) {
      return absl::DataLossError(absl::StrCat("number ", i, " came back as ",
                                              host.host()[i], " instead of ",
                                              F32FromBf16Bits(expected[i])));
    }
  }
  return absl::OkStatus();
}

// Times the hops of an open link. Checks the first and the last.
absl::Status Measure(LinkDevice& device, RowHop& hop, bool wants_inline,
                     const std::string& name) {
  const std::vector<std::uint16_t> bits = Pattern();
  ASSIGN_OR_RETURN(const std::shared_ptr<std::byte> memory,
                   device.Allocate(2 * bits.size()));
  RETURN_IF_ERROR(
      cuda::CudaStatus(cudaMemcpy(memory.get(), bits.data(), 2 * bits.size(),
                                  cudaMemcpyHostToDevice),
                       "the copy of the pattern"));
  std::vector<double> times;
  for (int i = 0; i < kWarmUp + kHops; ++i) {
    Rows rows(memory.get(), kRows, kWidth, RowType::kBf16, device.device(),
              memory);
    const auto begin = SteadyClock::now();
    ASSIGN_OR_RETURN(const Rows back,
                     hop.ThereAndBack(std::move(rows), kPatience));
    if (i >= kWarmUp) times.push_back(1e3 * MillisecondsSince(begin));
    if (hop.came_inline() != wants_inline && i >= kWarmUp) {
      return absl::InternalError(
          absl::StrCat(name, ": rows came ",
                       hop.came_inline() ? "over the host" : "by NCCL"));
    }
    if (i == 0 || i + 1 == kWarmUp + kHops) {
      RETURN_IF_ERROR(CheckBack(device, back));
    }
  }
  std::sort(times.begin(), times.end());
  Print({{name + ", there and back, p50 us", times[kHops / 2]},
         {name + ", there and back, p99 us", times[kHops * 99 / 100]}});
  return absl::OkStatus();
}

// Sends rows until they come back by NCCL, at most for kPatience.
absl::Status WaitForNccl(RowHop& hop) {
  const auto begin = SteadyClock::now();
  do {
    if (MillisecondsSince(begin) > absl::ToDoubleMilliseconds(kPatience)) {
      return absl::DeadlineExceededError(
          "no path of NCCL has opened; the log has the reason");
    }
    RETURN_IF_ERROR(
        hop.ThereAndBack(Rows::Host(kRows, kWidth), kPatience).status());
  } while (hop.came_inline());
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> FreeBytes() {
  std::size_t free = 0, total = 0;
  RETURN_IF_ERROR(
      cuda::CudaStatus(cudaMemGetInfo(&free, &total), "the free memory"));
  return free;
}

absl::Status MeasureHost(const std::shared_ptr<LinkDevice>& device,
                         const std::string& address) {
  NcclLinkOptions options;
  options.device = device;
  NcclLinks links(options, absl::Milliseconds(100));
  const auto hop = std::make_shared<RowHop>(MakeUpload(device));
  const std::shared_ptr<Link> link =
      links.Wrap(MakeGrpcDialer(Insecure))(address, hop);
  hop->Begin(link);
  const absl::Status status =
      Measure(*device, *hop, /*wants_inline=*/true, "over the host");
  link->Close();
  hop->WaitForEnd(kPatience).IgnoreError();
  return status;
}

// Kills the other process while the path is in use, and expects the end of the
// link, but not of this process's device.
absl::Status LoseFar(LinkDevice& device, RowHop& hop, ChildProcess& far) {
  std::thread killer([&far] { far.Signal(SIGKILL); });
  const auto begin = SteadyClock::now();
  absl::Status status;
  while (status.ok() && MillisecondsSince(begin) < 30e3) {
    status = hop.ThereAndBack(Rows::Host(kRows, kWidth), kPatience).status();
  }
  killer.join();
  const absl::Status end = hop.WaitForEnd(kPatience);
  if (end.ok() || absl::IsDeadlineExceeded(end)) {
    return absl::InternalError(absl::StrCat(
        "the other process was killed, but the link says ", end.ToString()));
  }
  Print({{"link ended after the other process was killed, ms",
          MillisecondsSince(begin)}});
  RETURN_IF_ERROR(device.Allocate(1 << 20).status());
  return cuda::CudaStatus(cudaDeviceSynchronize(),
                          "the device after the other process was killed");
}

absl::Status MeasureNccl(NcclLinkOptions options, const std::string& address,
                         ChildProcess& far) {
  const std::shared_ptr<LinkDevice> device = options.device;
  if (options.api == nullptr) {
    return absl::FailedPreconditionError(
        "NCCL cannot be used; the log has the reason");
  }
  ASSIGN_OR_RETURN(const std::size_t before, FreeBytes());
  NcclLinks links(std::move(options), absl::Milliseconds(100));
  const auto hop = std::make_shared<RowHop>(MakeUpload(device));
  const std::shared_ptr<Link> link =
      links.Wrap(MakeGrpcDialer(Insecure))(address, hop);
  const auto begin = SteadyClock::now();
  hop->Begin(link);
  RETURN_IF_ERROR(WaitForNccl(*hop));
  Print({{"paths of NCCL open after, ms", MillisecondsSince(begin)}});
  RETURN_IF_ERROR(Measure(*device, *hop, /*wants_inline=*/false, "by NCCL"));
  ASSIGN_OR_RETURN(const std::size_t after, FreeBytes());
  Print({{"GPU memory of a link by NCCL, both ends, MB",
          (static_cast<double>(before) - static_cast<double>(after)) / 1e6}});
  const absl::Status lost = LoseFar(*device, *hop, far);
  link->Close();
  hop->WaitForEnd(kPatience).IgnoreError();
  return lost;
}

absl::Status RunNear(const std::string& program) {
  const TempFolder folder;
  const std::string file = folder.path() + "/address";
  // NCCL refuses two processes of one host on one GPU. Before any thread.
  setenv("NCCL_HOSTID", "far", 1);
  ChildProcess far({program, "--far=" + file,
                    "--gpu=" + std::to_string(absl::GetFlag(FLAGS_gpu))},
                   "/dev/stderr");
  setenv("NCCL_HOSTID", "near", 1);
  ASSIGN_OR_RETURN(const std::shared_ptr<LinkDevice> device, OpenLinkDevice());
  const NcclLinkOptions options = SetUpNccl(device, {}, /*across_hosts=*/true);
  ASSIGN_OR_RETURN(const std::string address, WaitForAddress(file, far));
  RETURN_IF_ERROR(MeasureHost(device, address));
  return MeasureNccl(options, address, far);
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  const std::string far = absl::GetFlag(FLAGS_far);
  const absl::Status status =
      far.empty() ? apollo::RunNear(argv[0]) : apollo::RunFar(far);
  if (status.ok()) return 0;
  std::fprintf(stderr, "link_hop: %s\n", status.ToString().c_str());
  return 1;
}
