#pragma once

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>
#include <vector>

#include "proto/apollo/v1/admin.grpc.pb.h"
#include "serving/drain_flags.h"

namespace apollo {

// A file that the process follows.
struct AdminFile {
  std::string flag;  // Without dashes.
  // Reads the file now. Returns why what it says does not apply; the reason
  // names the file. Called as AdminActions are, and again if it was refused and
  // a later file was not: it may need what that says.
  std::function<absl::Status()> reload;
};

// What the administration of a process can do to it. All of it is called by
// threads of the server, several at once.
struct AdminActions {
  std::string process;  // Its name.
  DrainOptions drain;   // The defaults of a drain.

  // Takes the process out of service and waits until its work has ended, for at
  // most the time of the options, or until gave_up() is true. Returns true if
  // nothing is left. Called any number of times.
  using GaveUp = std::function<bool()>;
  using TakeOut =
      std::function<bool(const DrainOptions&, const GaveUp& gave_up)>;
  TakeOut take_out;

  std::vector<AdminFile> files = {};

  // Returns PERMISSION_DENIED if the caller of a method may not call it. Null:
  // whoever reaches the port may.
  std::function<absl::Status(const grpc::ServerContextBase&)> authorize =
      nullptr;
};

// The administration of a process as a gRPC service. Thread-safe.
class AdminService final : public v1::AdminService::Service {
 public:
  explicit AdminService(AdminActions actions);

  // INVALID_ARGUMENT names a field that is out of range.
  grpc::Status Drain(grpc::ServerContext* context,
                     const v1::DrainRequest* request,
                     v1::DrainResponse* response) override;
  grpc::Status Reload(grpc::ServerContext* context,
                      const v1::ReloadRequest* request,
                      v1::ReloadResponse* response) override;
  grpc::Status GetConfig(grpc::ServerContext* context,
                         const v1::GetConfigRequest* request,
                         v1::GetConfigResponse* response) override;
  grpc::Status SetLogLevel(grpc::ServerContext* context,
                           const v1::SetLogLevelRequest* request,
                           v1::SetLogLevelResponse* response) override;

 private:
  grpc::Status Authorize(const grpc::ServerContextBase& context) const;

  const AdminActions actions_;
};

}  // namespace apollo
