#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/json.h"
#include "proto/apollo/v1/inference.grpc.pb.h"
#include "tests/e2e/json_process.h"
#include "tests/e2e/temp_folder.h"

namespace apollo {

// A cluster of real processes on free ports of 127.0.0.1, for one test, run by
// deploy/local/cluster.py. The test fails if a process does not become healthy.
// All end, at the latest, when the test process dies. One thread.
class Cluster {
 public:
  struct Layout {
    int dense_workers = 1;
    // Expert e is on worker e mod this, at most one for each expert.
    // 0: apollo_local.
    int expert_workers = 1;
    // All over the same dense workers. apollo_local has one.
    int routers = 1;
    std::vector<std::string> dense_flags = {};   // For every dense worker.
    std::vector<std::string> expert_flags = {};  // For every expert worker.
    std::vector<std::string> router_flags = {};  // For every router.
    std::vector<std::string> local_flags = {};   // For apollo_local.
  };

  Cluster(std::string model, const Layout& layout);
  ~Cluster();

  // Starts all processes and waits until all are healthy.
  void Start();

  // Kills (SIGKILL) or starts again one worker; a new one has a new address.
  void KillExpert(int index);
  void StartExpert(int index);
  // SIGTERM, and waits for the end; the exit status must be 0.
  void StopExpert(int index);
  // For expert workers that are started from now on.
  void SetExpertFlags(std::vector<std::string> flags);
  // SIGSTOP and SIGCONT: a process that is there but does nothing.
  void FreezeExpert(int index);
  void ThawExpert(int index);
  void KillDense(int index);
  void StartDense(int index);

  // Waits until all routers' health is as wanted and, if that is to serve,
  // until every expert worker serves, too; fails the test after a minute.
  void WaitForHealth(bool serving);

  // Stops all with SIGTERM; every exit status must be 0.
  void StopAll();

  // Of one of the routers.
  std::unique_ptr<v1::InferenceService::Stub> NewStub(int router = 0);
  const std::string& address(int router = 0) const;
  // Of a dense worker, for what a router asks of it.
  const std::string& dense_address(int index = 0) const;
  // The "metrics" address of a process: "router", "router-1", "dense-worker-0",
  // "expert-worker-1", "local".
  std::string MetricsAddress(const std::string& name);
  // Memory that a router has in RAM.
  std::int64_t RouterBytes(int router = 0);
  // Value of a metric of a process, with its labels if it has any; -1 if it is
  // absent.
  double Metric(const std::string& process, const std::string& name);
  // Waits until some log contains the text; false after a minute.
  bool WaitForLog(const std::string& text);
  // All that the processes wrote to their logs.
  std::string Logs();

 private:
  struct Process {
    int pid = 0;
    std::string address, metrics;
  };

  // Asks the program that runs the processes; the test fails if it refuses.
  Json Ask(const Json& request);
  // Takes over what it says of all processes.
  void Learn(const Json& answer);
  // Starts one again, with these flags from now on, if there are any.
  void Restart(const std::string& name, const std::vector<std::string>* flags);
  // SIGTERM, and waits for the end; the exit status must be 0.
  void Stop(const std::string& name);
  // A process by its name; the test fails if there is none.
  const Process& Of(const std::string& name) const;
  // The names of all whose name begins so.
  std::vector<std::string> Named(const std::string& prefix) const;

  const std::string model_;
  Layout layout_;
  const TempFolder folder_;
  bool new_expert_flags_ = false;
  std::unique_ptr<JsonProcess> launcher_;
  std::map<std::string, Process> processes_;
};

// Path of a file of this repository, or of a program built from it, in a test.
std::string Runfile(const std::string& path);

// The demo model that deploy/local/demo_model.sh made: $APOLLO_DEMO_MODEL, or
// its usual place. The test fails, saying what to run, if it is not there.
std::string DemoModel();

}  // namespace apollo
