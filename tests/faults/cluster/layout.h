#pragma once

#include <string>
#include <vector>

namespace apollo {

// How the processes of a deployment reach each other.
enum class Joints {
  kDirect,
  // Links go through proxies, one for each pair of a process that dials and
  // one that listens. Also the calls of clients.
  kProxies,
  // Each process is a node of a Network, which loses and delays packets.
  kNetwork,
};

// The processes of a deployment and their flags ("--flag=value").
struct Layout {
  std::string model;  // A directory.
  int routers = 1;
  int dense_workers = 2;
  // For each expert worker, the flag that says which experts it has, such as
  // "--experts=0,1".
  std::vector<std::string> experts;
  Joints joints = Joints::kDirect;
  std::vector<std::string> worker_flags = {};  // Of dense and expert workers.
  std::vector<std::string> dense_flags = {};
  std::vector<std::string> expert_flags = {};
  std::vector<std::string> router_flags = {};
};

enum class ProcessKind { kExpertWorker, kDenseWorker, kRouter };

// Returns the name of a process, as deploy/local/cluster.sh names it.
std::string NameOf(ProcessKind kind, int index);

// Returns the names of all processes, or of those of one kind, in the order of
// their dependencies.
std::vector<std::string> NamesOf(const Layout& layout);
std::vector<std::string> NamesOf(const Layout& layout, ProcessKind kind);

// Returns the kind of the process with this name.
ProcessKind KindOf(const std::string& name);

// Returns whether a process dials another, to send it requests or rows.
bool Dials(const std::string& from, const std::string& to);

// Returns flags for `workers` expert workers such that each of `experts`
// experts is on `holders` of them.
std::vector<std::string> SpreadExperts(int experts, int workers, int holders);

}  // namespace apollo
