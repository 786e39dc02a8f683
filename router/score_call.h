#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "router/generate_call.h"

namespace apollo {

// One Score call: runs each continuation as a sequence of its own and answers
// when all are done. Lives until gRPC and all its sequences are done with it.
class ScoreCall final : public grpc::ServerUnaryReactor,
                        public std::enable_shared_from_this<ScoreCall> {
 public:
  // Starts the tenant's call. `response` belongs to gRPC and lives until the
  // call is finished.
  static ScoreCall* Start(const RouterContext& context,
                          const grpc::ServerContextBase& server_context,
                          std::string tenant, const grpc::ByteBuffer& request,
                          grpc::ByteBuffer* response);

 private:
  class Sink;

  ScoreCall(const RouterContext& context,
            const grpc::ServerContextBase& server_context, std::string tenant,
            grpc::ByteBuffer* response);

  absl::Status Begin(const grpc::ByteBuffer& request);
  void OnCancel() override;
  void OnDone() override;
  void OnStarted(const GenerationStarted& started);
  void OnFinished(int index, absl::StatusOr<GenerationFinished> finished);
  void Fail(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Succeed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const RouterContext context_;
  const std::string tenant_;
  const absl::Duration arrived_;
  const std::chrono::system_clock::time_point arrived_at_, deadline_;
  grpc::ByteBuffer* const buffer_;

  Mutex mutex_;
  std::shared_ptr<ScoreCall> self_ ABSL_GUARDED_BY(mutex_);
  v1::ScoreResponse response_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<GenerationCall>> calls_ ABSL_GUARDED_BY(mutex_);
  int open_ ABSL_GUARDED_BY(mutex_) = 0;
  RequestMetrics::Request metrics_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
