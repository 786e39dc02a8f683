#pragma once

#include <absl/status/status.h>

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/faults/cluster/deployment.h"
#include "tests/faults/streams/pauses.h"
#include "tests/faults/streams/router_client.h"
#include "tests/faults/streams/stream_driver.h"
#include "tests/faults/streams/stream_plan.h"
#include "tests/faults/trial/outcome.h"
#include "tests/faults/trial/settings.h"

namespace apollo {

// One run of a scenario: its cluster, its streams, the times of its faults, and
// the outcome. Single-threaded; start and destroy it in the same thread.
class Trial {
 public:
  Trial(const Settings& settings, const std::string& scenario);
  ~Trial();

  // Starts a cluster and runs all requests of the mix once, undisturbed: the
  // reference of all checks.
  absl::Status Deploy(Layout layout, const StreamMix& mix = {});
  // A layout whose expert workers are three, with each expert on two of them.
  Layout TwoHolders() const;
  // A layout of `workers` expert workers that have every expert.
  Layout AllEverywhere(int workers) const;

  const Settings& settings() const { return settings_; }
  bool long_run() const { return settings_.long_run; }
  Outcome& outcome() { return outcome_; }
  Deployment& cluster() { return *cluster_; }
  const std::vector<StreamPlan>& plans() const { return plans_; }
  // Returns the tokens of all streams together.
  std::int64_t tokens_of_a_round() const;
  // Returns a number from 0 to `below` - 1, as the seed says.
  int Pick(int below);
  // Returns one of the names of a kind of process.
  std::string PickProcess(ProcessKind kind);

  // Returns the addresses of all routers for clients.
  std::vector<std::string> Routers() const;
  // Starts the streams of all plans. With kResume their client goes on at
  // another router when a stream breaks, so only the loss of routers may need
  // it.
  enum class Client { kPlain, kResume };
  void StartStreams(Client client = Client::kPlain);
  // Waits until the streams have received a random number of tokens, at most
  // those of a round. UNAVAILABLE if they do not go on.
  absl::Status AwaitMoment();
  // Waits until each stream, or each of `slots`, has received a token.
  absl::Status AwaitEach(const std::set<int>& slots = {});
  StreamDriver& streams() { return *driver_; }
  // Ends the streams of StartStreams() and checks them: all must be whole.
  void EndStreams();
  // Checks transcripts that must be whole, and keeps them for PausesOf().
  void Check(std::vector<Transcript> transcripts);
  // As CheckPart.
  void CheckBeginnings(const std::vector<Transcript>& transcripts);
  const std::vector<Transcript>& checked() const { return checked_; }

  // Records a fault that happens now, and reports it.
  void MarkFault(const std::string& what);
  // Writes a line of progress.
  void Say(const std::string& line) const;
  // Adds the pauses at all faults to the figures, p50, p99 and the longest, and
  // the times that `sequence_moved` events name. `reach`: how long after a
  // fault a pause may begin.
  Pauses ReportPauses(absl::Duration reach, const Counts& counts = nullptr);
  // Adds a bar in seconds.
  void AddBar(const std::string& name, absl::Duration measured,
              absl::Duration limit);

  // Adds a problem for a process that has ended by itself. Waits until none has
  // requests or cache blocks in use, then adds a problem for each that holds
  // much more than after the reference run.
  void CheckGrowth();
  // Writes the last lines of the log of each process.
  void ShowLogs() const;

 private:
  absl::Status RunReference();

  const Settings settings_;
  Outcome outcome_;
  const absl::Duration begin_;
  std::mt19937_64 random_;
  std::unique_ptr<Deployment> cluster_;
  std::vector<StreamPlan> plans_;
  std::vector<Transcript> references_;  // By slot.
  std::map<std::string, std::pair<pid_t, ProcessUsage>> baseline_;
  std::unique_ptr<RouterClient> client_;
  std::unique_ptr<StreamDriver> driver_;
  std::vector<Transcript> checked_;
  std::vector<absl::Duration> faults_;
};

// The default of --lease: the time after which a worker that gives no sign of
// life is taken for lost.
inline constexpr absl::Duration kLease = absl::Milliseconds(300);

// The time in which anything but a wait for its own sake must happen.
inline constexpr absl::Duration kPatience = absl::Minutes(2);

}  // namespace apollo
