#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/temp_folder.h"
#include "tests/e2e/child_process.h"
#include "tests/faults/cluster/layout.h"
#include "tests/faults/cluster/process_usage.h"
#include "tests/faults/cluster/proxy.h"
#include "tests/faults/network/network.h"

namespace apollo {

// A cluster of real processes that can be harmed: processes by signals, links
// as Layout::joints says. Processes listen on free ports of 127.0.0.1, or of
// their node of a network. A process that is started again has its old port.
// All end with this object, or when the thread dies that started them.
// Single-threaded.
class Deployment {
 public:
  // `programs`: the folder with router/router and so on. `seed`: of the losses
  // of proxies.
  Deployment(std::string programs, Layout layout, std::uint64_t seed);
  ~Deployment();

  const Layout& layout() const { return layout_; }

  // Starts all processes and waits until the cluster is whole. With
  // Joints::kNetwork, fails as Network::Make.
  absl::Status Start();
  // Waits until every process serves, and every worker is linked to all that it
  // needs. DEADLINE_EXCEEDED, naming the reason, after `limit`.
  absl::Status AwaitWhole(absl::Duration limit = absl::Seconds(60));

  // Kills (SIGKILL) a process, frozen or not.
  void Kill(const std::string& name);
  // Starts a process that has ended, and waits until it listens. It gets
  // `more_flags` behind those of the layout, this time only.
  absl::Status Restart(const std::string& name,
                       const std::vector<std::string>& more_flags = {});
  // Sends SIGTERM and waits for the end. INTERNAL unless the exit code is 0;
  // DEADLINE_EXCEEDED if it does not end within a minute.
  absl::Status Stop(const std::string& name);
  // Stop (SIGSTOP) and continue (SIGCONT) a process.
  void Freeze(const std::string& name);
  void Thaw(const std::string& name);
  // INTERNAL, naming it, if a process has ended by itself.
  absl::Status CheckRunning();

  // Returns the proxy of the connections that one process opens to another.
  // There must be one: Joints::kProxies, and Dials(from, to). From "client":
  // the calls of clients to a router.
  Proxy& Between(const std::string& from, const std::string& to);
  // The harm of links by proxies or a network; there must be either.
  // Holds or loses what `from` sends to `to`, on the connections that either
  // opened.
  void Partition(const std::string& from, const std::string& to);
  // Delays, or loses a part of, the data between two processes, both ways.
  void SetDelay(const std::string& a, const std::string& b,
                absl::Duration delay);
  void SetLoss(const std::string& a, const std::string& b, double probability);
  // Ends the harm of all links.
  void HealLinks();

  // Returns the address of a router for clients: that of the proxy if there is
  // one.
  std::string ClientAddress(const std::string& router) const;
  // Returns the value of a metric of a process; -1 if it is absent. `metric`
  // includes the labels, if any.
  double Metric(const std::string& name, const std::string& metric) const;
  // Returns a metric added up over processes; absent ones count as 0.
  double Sum(ProcessKind kind, const std::string& metric) const;
  ProcessUsage Usage(const std::string& name) const;
  pid_t Pid(const std::string& name) const;
  // Returns the log of a process since the start of the deployment.
  std::string Log(const std::string& name) const;

 private:
  struct Process {
    std::unique_ptr<ChildProcess> child;
    std::string address, metrics;  // "host:port", the same for each start.
    bool wanted = false;           // It shall run.
  };

  std::string File(const std::string& name, const std::string& what) const;
  // Returns the host on which a process listens.
  std::string HostOf(const std::string& name) const;
  std::vector<std::string> CommandLine(const std::string& name) const;
  // Starts a process without waiting.
  void Launch(const std::string& name,
              const std::vector<std::string>& more_flags);
  absl::Status AwaitListening(const std::string& name);
  // Writes the list of workers of each process.
  void WriteLists();
  absl::Status StartProxies();
  // Returns the proxies between two processes, whoever dials.
  std::vector<Proxy*> ProxiesOf(const std::string& a, const std::string& b);
  // Returns a reason for which the cluster is not whole; empty if it is.
  std::string Missing();
  std::string MissingByStatus(const std::string& router);

  const std::string programs_;
  const Layout layout_;
  const std::uint64_t seed_;
  const TempFolder folder_;
  std::unique_ptr<Network> network_;  // Null: there is none.
  std::map<std::string, Process> processes_;
  // By the names of the process that dials, and of the one that listens.
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Proxy>>
      proxies_;
};

}  // namespace apollo
