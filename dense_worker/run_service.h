#pragma once

#include <absl/time/time.h>
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "dense_worker/router_reports.h"
#include "dense_worker/routing_log.h"
#include "dense_worker/run_call.h"
#include "dense_worker/watch_call.h"
#include "link/worker_details.h"
#include "model/config/fingerprint.h"
#include "proto/apollo/internal/v1/generation.grpc.pb.h"
#include "sequence/generation.h"
#include "sequence/prefix_hash.h"
#include "serving/metrics.h"
#include "tracing/tracer.h"

namespace apollo {

// The facts that Describe and Routing report. All functions may be called from
// any thread.
struct DenseWorkerFacts {
  std::string name;
  std::string model_hash;
  ModelFingerprint fingerprint;
  std::function<bool()> ready;
  std::function<int()> running;
  // A number that only the engine's thread changes, often while it is alive.
  std::function<std::uint64_t()> progress;
  const RoutingLog& routing;
  // Null: none.
  std::function<WorkerDetails()> details = nullptr;
  // Null, or returns null: the worker shares no prefixes.
  std::function<std::shared_ptr<const CachedPrefixes>()> prefixes = nullptr;
  // Rows of prompts that are not computed yet. Null: unknown.
  std::function<std::int64_t()> queued_rows = nullptr;
  std::string numerics = {};  // The worker's own (engine/numerics.h).
};

// The time between two signs of life for the routers that watch the worker.
inline constexpr absl::Duration kSignInterval = absl::Milliseconds(50);

// Serves a backend to routers. Everything passed in must outlive the service.
// `tracer` may be null.
class RunService final
    : public internal::v1::DenseWorkerService::CallbackService {
 public:
  RunService(GenerationBackend& backend, DenseWorkerFacts facts,
             RequestMetrics& metrics, const Clock& clock,
             const RunLimits& limits = {}, Tracer* tracer = nullptr)
      : backend_(backend),
        facts_(std::move(facts)),
        metrics_(metrics),
        clock_(clock),
        limits_(limits),
        tracer_(tracer) {}

  // Ends calls whose routers have read nothing for too long although many
  // events are waiting. Call it about once a second. Any thread.
  void EndStalledCalls();

  // Sends a sign of life to the routers that watch. Call it every
  // kSignInterval. Any thread.
  void SendSigns();
  // Ends the watches, which would last for ever; later ones end at once. Call
  // it before the server is shut down. Any thread.
  void EndWatches();
  // Returns the calls of Run that have not ended. Any thread.
  int calls();
  // The polls of routers.
  const RouterReports& routers() const { return routers_; }

  grpc::ServerBidiReactor<internal::v1::RunRequest, internal::v1::RunEvent>*
  Run(grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Describe(
      grpc::CallbackServerContext* context,
      const internal::v1::DescribeRequest* request,
      internal::v1::DescribeResponse* response) override;
  grpc::ServerWriteReactor<internal::v1::SignOfLife>* Watch(
      grpc::CallbackServerContext* context,
      const internal::v1::WatchRequest* request) override;
  grpc::ServerUnaryReactor* Routing(
      grpc::CallbackServerContext* context,
      const internal::v1::RoutingRequest* request,
      internal::v1::RoutingResponse* response) override;

 private:
  internal::v1::SignOfLife Sign() const;
  // Returns the watches that have not ended, and forgets the others.
  std::vector<std::shared_ptr<WatchCall>> Watches();

  GenerationBackend& backend_;
  const DenseWorkerFacts facts_;
  RequestMetrics& metrics_;
  const Clock& clock_;
  const RunLimits limits_;
  Tracer* const tracer_;
  RunLines lines_{clock_};
  RouterReports routers_{clock_};

  Mutex mutex_;
  // EndStalledCalls removes calls that have ended.
  std::vector<std::weak_ptr<RunCall>> calls_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<WatchCall>> watches_ ABSL_GUARDED_BY(mutex_);
  bool watches_ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
