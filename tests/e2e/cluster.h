#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/temp_folder.h"
#include "proto/apollo/v1/inference.grpc.pb.h"
#include "tests/e2e/json_process.h"

namespace apollo {

// A cluster of real processes on free ports of 127.0.0.1 for one test, run by
// deploy/local/cluster.py. The test fails if a process does not become healthy.
// The processes end at the latest when the test process dies. Single-threaded.
class Cluster {
 public:
  struct Layout {
    int dense_workers = 1;
    // Expert e is on worker e mod this number; at most one worker per expert.
    // 0: apollo_local.
    int expert_workers = 1;
    // All use the same dense workers. apollo_local has one.
    int routers = 1;
    std::vector<std::string> dense_flags = {};   // For every dense worker.
    std::vector<std::string> expert_flags = {};  // For every expert worker.
    // Expert workers load experts that no other has.
    bool standby = false;
    std::vector<std::string> router_flags = {};  // For every router.
    std::vector<std::string> local_flags = {};   // For apollo_local.
    // Each process gets its own NCCL_HOSTID, so that several may share a GPU.
    bool own_host_ids = false;
    // All gRPC is encrypted; every process has its own certificate.
    bool tls = false;
  };

  Cluster(std::string model, const Layout& layout);
  ~Cluster();

  // Starts all processes and waits until all are healthy.
  void Start();

  // Kill (SIGKILL) or restart one worker, which then has a new address.
  void KillExpert(int index);
  void StartExpert(int index);
  // Sends SIGTERM and waits for the end. The exit status must be 0.
  void StopExpert(int index);
  // Sets the flags of expert workers that are started from now on.
  void SetExpertFlags(std::vector<std::string> flags);
  // Stop (SIGSTOP) and continue (SIGCONT) a process.
  void FreezeExpert(int index);
  void ThawExpert(int index);
  void KillDense(int index);
  void StartDense(int index);

  // Waits until the health of all routers is as given and, if `serving`, until
  // every expert worker serves, too. Fails the test after a minute.
  void WaitForHealth(bool serving);

  // Stops all with SIGTERM; every exit status must be 0.
  void StopAll();

  // Returns the credentials of a client in such a cluster: with `tls`, those
  // of the certificate client/operator.
  std::shared_ptr<grpc::ChannelCredentials> Credentials() const;

  // For one of the routers. The client of a stub reads at most 64 KB ahead.
  std::unique_ptr<v1::InferenceService::Stub> NewStub(int router = 0);
  const std::string& address(int router = 0) const;
  // The address of a dense worker, for calls like those of a router.
  const std::string& dense_address(int index = 0) const;
  // The "metrics" address of a process: "router", "router-1", "dense-worker-0",
  // "expert-worker-1", "local".
  std::string MetricsAddress(const std::string& name);
  // Returns the resident memory of a router in bytes.
  std::int64_t RouterBytes(int router = 0);
  // Returns the value of a metric of a process; -1 if it is absent. `name`
  // includes the labels, if any.
  double Metric(const std::string& process, const std::string& name);
  // Waits until a metric has this value. Fails the test after a minute.
  void WaitForMetric(const std::string& process, const std::string& name,
                     double wanted);
  // Waits until a metric is at least so much. Returns false after a minute.
  bool WaitForMetricAtLeast(const std::string& process, const std::string& name,
                            double least);
  // Waits until some log contains the text. Returns false after a minute.
  bool WaitForLog(const std::string& text);
  // Returns the logs of all processes.
  std::string Logs();

 private:
  struct Process {
    int pid = 0;
    std::string address, metrics;
  };

  // Sends a request to the program that runs the processes. The test fails if
  // it returns an error.
  Json Ask(const Json& request);
  // Stores the processes in its answer.
  void Learn(const Json& answer);
  // Restarts a process, with new flags if `flags` is not null.
  void Restart(const std::string& name, const std::vector<std::string>* flags);
  // Sends SIGTERM and waits for the end. The exit status must be 0.
  void Stop(const std::string& name);
  // Sends a signal. The test fails if there is no such process.
  void Signal(const std::string& name, int signal);
  // Returns a process by its name. The test fails if there is none; its pid is
  // then 0.
  const Process& Of(const std::string& name) const;
  // Returns the names of all processes that begin with `prefix`.
  std::vector<std::string> Named(const std::string& prefix) const;

  const std::string model_;
  Layout layout_;
  const TempFolder folder_;
  bool new_expert_flags_ = false;
  std::unique_ptr<JsonProcess> launcher_;
  std::map<std::string, Process> processes_;
};

// Returns the path of a file of this repository, or of a program built from it,
// in a test.
std::string Runfile(const std::string& path);

// Returns the directory of the demo model made by deploy/local/demo_model.sh:
// $APOLLO_DEMO_MODEL, or the default one. If it is missing, the test fails with
// instructions.
std::string DemoModel();

}  // namespace apollo
