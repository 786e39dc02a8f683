#include "link/nccl/cuda_device.h"

#include <absl/strings/str_cat.h>
#include <cuda_runtime_api.h>

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "link/nccl/host_rows.h"

namespace apollo {
namespace {

absl::Status ToStatus(const char* call, cudaError_t error) {
  if (error == cudaSuccess) return absl::OkStatus();
  const std::string message =
      absl::StrCat(call, " failed with ", cudaGetErrorName(error));
  return error == cudaErrorMemoryAllocation
             ? absl::ResourceExhaustedError(message)
             : absl::UnavailableError(message);
}

class CudaEvent final : public DeviceEvent {
 public:
  explicit CudaEvent(cudaEvent_t event) : event_(event) {}
  ~CudaEvent() override { cudaEventDestroy(event_); }
  absl::StatusOr<bool> Done() override {
    const cudaError_t error = cudaEventQuery(event_);
    if (error == cudaErrorNotReady) return false;
    RETURN_IF_ERROR(ToStatus("cudaEventQuery", error));
    return true;
  }

 private:
  const cudaEvent_t event_;
};

class CudaStream final : public DeviceStream {
 public:
  explicit CudaStream(cudaStream_t stream) : stream_(stream) {}
  ~CudaStream() override { cudaStreamDestroy(stream_); }
  void* handle() override { return stream_; }
  absl::StatusOr<std::unique_ptr<DeviceEvent>> Record() override {
    cudaEvent_t event = nullptr;
    RETURN_IF_ERROR(
        ToStatus("cudaEventCreateWithFlags",
                 cudaEventCreateWithFlags(&event, cudaEventDisableTiming)));
    auto made = std::make_unique<CudaEvent>(event);
    RETURN_IF_ERROR(
        ToStatus("cudaEventRecord", cudaEventRecord(event, stream_)));
    return made;
  }

 private:
  const cudaStream_t stream_;
};

class CudaDevice final : public LinkDevice {
 public:
  CudaDevice(int index, std::string id) : index_(index), id_(std::move(id)) {}
  Device device() const override { return {Device::Kind::kCuda, index_}; }
  std::string id() const override { return id_; }
  absl::Status Use() override {
    return ToStatus("cudaSetDevice", cudaSetDevice(index_));
  }

  // Of the highest priority: the peer waits for rows, and a kernel of the
  // stage would delay them.
  absl::StatusOr<std::unique_ptr<DeviceStream>> NewStream() override {
    RETURN_IF_ERROR(Use());
    int lowest = 0, highest = 0;
    RETURN_IF_ERROR(
        ToStatus("cudaDeviceGetStreamPriorityRange",
                 cudaDeviceGetStreamPriorityRange(&lowest, &highest)));
    cudaStream_t stream = nullptr;
    RETURN_IF_ERROR(ToStatus(
        "cudaStreamCreateWithPriority",
        cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, highest)));
    return std::make_unique<CudaStream>(stream);
  }

  absl::StatusOr<std::shared_ptr<std::byte>> Allocate(
      std::size_t bytes) override {
    RETURN_IF_ERROR(Use());
    void* memory = nullptr;
    RETURN_IF_ERROR(ToStatus("cudaMalloc", cudaMalloc(&memory, bytes)));
    return std::shared_ptr<std::byte>(static_cast<std::byte*>(memory),
                                      [](std::byte* data) {
                                        cudaFree(data);  // Of whichever device.
                                      });
  }

  absl::StatusOr<Rows> ToHost(const Rows& rows) override {
    if (rows.device() != device()) {
      return absl::InvalidArgumentError(
          absl::StrCat("rows of device ", rows.device().index,
                       " came to a link of device ", index_));
    }
    RETURN_IF_ERROR(Use());
    std::vector<std::byte> bytes(rows.bytes());
    ASSIGN_OR_RETURN(const std::unique_ptr<DeviceStream> stream, NewStream());
    const auto handle = static_cast<cudaStream_t>(stream->handle());
    RETURN_IF_ERROR(
        ToStatus("cudaMemcpyAsync",
                 cudaMemcpyAsync(bytes.data(), rows.data(), bytes.size(),
                                 cudaMemcpyDeviceToHost, handle)));
    RETURN_IF_ERROR(
        ToStatus("cudaStreamSynchronize", cudaStreamSynchronize(handle)));
    return HostRows(bytes, rows.rows(), rows.width(), rows.type());
  }

 private:
  const int index_;
  const std::string id_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<LinkDevice>> MakeCudaDevice(int index) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || index < 0 || index >= count) {
    return absl::NotFoundError(
        absl::StrCat("there is no GPU ", index, ": the driver shows ", count,
                     error == cudaSuccess
                         ? ""
                         : absl::StrCat(" (", cudaGetErrorName(error), ")")));
  }
  char id[64] = {};
  RETURN_IF_ERROR(ToStatus("cudaDeviceGetPCIBusId",
                           cudaDeviceGetPCIBusId(id, sizeof(id), index)));
  return std::make_shared<CudaDevice>(index, id);
}

}  // namespace apollo
