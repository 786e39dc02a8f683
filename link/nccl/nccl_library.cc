#include "link/nccl/nccl_library.h"

#include <absl/strings/str_cat.h>
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

#include "common/status_macros.h"
#include "link/nccl/nccl_abi.h"

namespace apollo {
namespace {

// The signatures in nccl.h, in which enums are ints and handles pointers.
using GetVersion = int (*)(int*);
using GetUniqueId = int (*)(NcclUniqueId*);
using InitRankConfig = int (*)(NcclComm**, int ranks, NcclUniqueId, int rank,
                               NcclConfig*);
using Send = int (*)(const void*, std::size_t, int type, int peer, NcclComm*,
                     void* stream);
using Receive = int (*)(void*, std::size_t, int type, int peer, NcclComm*,
                        void* stream);
using GetAsyncError = int (*)(NcclComm*, int*);
using Abort = int (*)(NcclComm*);

// Rows must not leave the interface, and no call may block, whatever the
// environment says. The size of buffers may be the operator's choice.
void SetEnvironment(const NcclLibraryOptions& options) {
  setenv("NCCL_SOCKET_IFNAME", absl::StrCat("=", options.interface).c_str(), 1);
  const char* const adapters = std::getenv("NCCL_IB_HCA");
  if (options.interface == "lo" || adapters == nullptr) {
    setenv("NCCL_IB_DISABLE", "1", 1);
  }
  setenv("NCCL_COMM_BLOCKING", "0", 1);
  setenv("NCCL_BUFFSIZE", "1048576", 0);
}

template <typename Function>
absl::Status Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the NCCL library has no function ", name));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const NcclApi>> LoadNccl(
    const NcclLibraryOptions& options) {
  SetEnvironment(options);
  void* const library =
      dlopen(options.library.c_str(), RTLD_NOW | RTLD_LOCAL);  // Never closed.
  if (library == nullptr) {
    const char* const reason = dlerror();
    return absl::NotFoundError(absl::StrCat(
        "the NCCL library \"", options.library,
        "\" cannot be loaded: ", reason == nullptr ? "unknown" : reason,
        "; install NCCL ", NcclVersionName(kMinNcclVersion), " or newer"));
  }
  GetVersion get_version;
  GetUniqueId get_unique_id;
  InitRankConfig init_rank;
  Send send;
  Receive receive;
  GetAsyncError get_async_error;
  Abort abort;
  RETURN_IF_ERROR(Find(library, "ncclGetVersion", get_version));
  auto api = std::make_shared<NcclApi>();
  get_version(&api->version);
  if (api->version < kMinNcclVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("the NCCL library \"", options.library, "\" has version ",
                     NcclVersionName(api->version), "; ",
                     NcclVersionName(kMinNcclVersion), " or newer is needed"));
  }
  RETURN_IF_ERROR(Find(library, "ncclGetUniqueId", get_unique_id));
  RETURN_IF_ERROR(Find(library, "ncclCommInitRankConfig", init_rank));
  RETURN_IF_ERROR(Find(library, "ncclSend", send));
  RETURN_IF_ERROR(Find(library, "ncclRecv", receive));
  RETURN_IF_ERROR(Find(library, "ncclCommGetAsyncError", get_async_error));
  RETURN_IF_ERROR(Find(library, "ncclCommAbort", abort));

  static_assert(sizeof(NcclUniqueId) == sizeof(CommunicatorId));
  api->get_unique_id = [=](CommunicatorId* id) {
    return NcclResult{
        get_unique_id(reinterpret_cast<NcclUniqueId*>(id->data()))};
  };
  api->init_rank = [=](NcclComm** comm, const CommunicatorId& id, int rank,
                       int max_channels) {
    NcclUniqueId unique;
    std::memcpy(&unique, id.data(), sizeof(unique));
    NcclConfig config;
    config.blocking = 0;
    config.min_ctas = 1;
    config.max_ctas = max_channels;
    return NcclResult{init_rank(comm, 2, unique, rank, &config)};
  };
  api->send = [=](const void* data, std::size_t bytes, NcclComm* comm, int peer,
                  void* stream) {
    return NcclResult{send(data, bytes, kNcclUint8, peer, comm, stream)};
  };
  api->receive = [=](void* data, std::size_t bytes, NcclComm* comm, int peer,
                     void* stream) {
    return NcclResult{receive(data, bytes, kNcclUint8, peer, comm, stream)};
  };
  api->get_async_error = [=](NcclComm* comm, NcclResult* state) {
    int code = 0;
    const NcclResult result{get_async_error(comm, &code)};
    *state = NcclResult{code};
    return result;
  };
  api->abort = [=](NcclComm* comm) { return NcclResult{abort(comm)}; };
  return api;
}

}  // namespace apollo
