#include "link/nccl/nccl_setup.h"

#include <string>
#include <utility>

#include "common/log.h"
#include "link/nccl/host_id.h"

namespace apollo {

NcclLinkOptions SetUpNccl(std::shared_ptr<LinkDevice> device,
                          const NcclLibraryOptions& library,
                          bool across_hosts) {
  NcclLinkOptions options;
  options.device = std::move(device);
  absl::StatusOr<std::shared_ptr<const NcclApi>> api = LoadNccl(library);
  if (!api.ok()) {
    LogWarning("nccl_not_used",
               {{"reason", std::string(api.status().message())}});
    return options;
  }
  options.api = *std::move(api);
  options.transport = {options.api->version, HostId(), options.device->id(),
                       across_hosts};
  LogInfo("nccl_loaded", {{"version", NcclVersionName(options.api->version)},
                          {"device", options.transport.device},
                          {"interface", library.interface}});
  return options;
}

}  // namespace apollo
