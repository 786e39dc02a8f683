#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "common/ticker.h"
#include "link/generation_codec.h"
#include "model/config/fingerprint.h"
#include "router/announced_prefixes.h"
#include "router/backend.h"
#include "router/dense_client.h"
#include "router/dense_watch.h"
#include "router/lease.h"
#include "router/pool_counters.h"
#include "router/worker_pool.h"
#include "sequence/generation.h"
#include "sequence/prompt_hashes.h"
#include "serving/cluster_channel.h"

namespace apollo {

// A pool of dense workers. Polls each worker several times a second (Describe),
// watches it in between (Watch), and starts each new sequence on the live
// worker that worker_choice.h prefers: by its load, and by the beginning of the
// prompt that it has in its cache.
//
// All workers must serve one model. A worker gets no sequences, and an error is
// logged when that is noticed, if
//
// - its config or tokenizer differs from the router's,
// - its model hash differs from that of most workers (on a tie, the hash served
//   before wins; a worker that has not been live for kForget has no
//   vote), or
// - its wire version is neither this one nor the previous one
//   (link/generation_codec.h).
//
// A worker that calls itself otherwise than its certificate counts as one that
// does not answer (dense_worker_refused).
//
// A worker is considered lost if its engine has made no progress for
// Options::worker_timeout, or has reported none for that long. Its sequences
// end with UNAVAILABLE, and it gets no others until it makes progress again.
// The length of a step does not matter: an engine makes progress within a step.
//
// A worker that is watched and gives no sign of life for Options::lease is
// silent: it gets sequences only if all others are silent, too. If another
// worker with the same numerics can take its sequences, they end with
// UNAVAILABLE and SequenceEnd::kSilent. It is used again with its next sign.
// A watched worker that leaves a poll unanswered for that long is silent, too,
// until it answers one: its signs arrive, but perhaps nothing reaches it. Time
// in which the router itself did not run does not count.
//
// A worker whose connection ends is polled at once, because the process may
// well be there: a router that was frozen has lost all its connections. Until
// that poll has ended, but for Options::lease at most, sequences that no other
// worker can take end with SequenceEnd::kUndecided.
class DensePool final : public WorkerPool {
 public:
  // Returns an error if the other end of a connection has not proven to be the
  // dense worker of that name. Null: nobody proves anything.
  using NameCheck = std::function<absl::Status(
      const grpc::AuthContext& connection, const std::string& name)>;

  struct Options {
    absl::Duration worker_timeout = absl::Seconds(10);
    absl::Duration lease = absl::Milliseconds(300);
    // The time in which a worker must answer a question, such as a poll.
    std::chrono::milliseconds answer_limit = kDenseAnswerLimit;
    // Null: plaintext.
    ClusterChannels channels = nullptr;
    NameCheck check_name = nullptr;
    // Between two polls; the loss of a worker causes one at once.
    absl::Duration poll_interval = absl::Milliseconds(200);
  };

  // `own` describes the router's model directory; empty parts of it are not
  // compared. The clock must outlive the pool.
  DensePool(ModelFingerprint own, Options options,
            const Clock& clock = Clock::Real());
  ~DensePool() override;

  static constexpr absl::Duration kForget = absl::Seconds(30);

  // Sets the addresses of the workers; a new pool has none. Any thread.
  void SetMembers(const std::vector<std::string>& addresses);

  // The time between two calls of Tick.
  static constexpr absl::Duration kTick = absl::Milliseconds(50);

  // Polls every worker once and waits for the answers.
  void Poll();
  // Begins to watch workers that are not watched, and looks at the leases.
  void Tick();
  // Returns the number of signs of life taken so far, of all workers.
  std::uint64_t signs() const { return signs_; }
  // Returns the number of polls of single workers that have ended so far.
  std::uint64_t replies() const { return replies_; }
  // Starts threads that call Poll and Tick regularly until the pool is
  // destroyed.
  void StartPolling();

  // Finishes the sink with UNAVAILABLE if no worker can take the sequence; see
  // SequenceEnd::kUndecided.
  std::unique_ptr<GenerationCall> Start(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink) override;
  // Valid during the lifetime of the pool. Any thread.
  const PoolCounters& counters() const { return counters_; }
  std::unique_ptr<GenerationCall> StartElsewhere(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink,
      const std::set<std::string>& avoid,
      const std::function<void(const std::string& worker)>& chosen) override;
  void Suspect(const std::string& worker) override;
  bool Ready() override;
  std::string ModelHash() override;
  void CollectRouting(
      absl::Duration window,
      std::function<void(std::vector<WorkerRouting>)> done) override;
  void CollectStatus(
      std::function<void(std::vector<ProcessStatus>)> done) override;

 private:
  struct Worker {
    std::shared_ptr<DenseClient> client;
    bool live = false;
    bool answered = false;  // At the last poll.
    int late_polls = 0;     // Polls since it last answered one in time.
    // Its first poll since it was last live.
    std::optional<absl::Duration> absent_since;
    int reported_running = 0;      // Running sequences, at the last poll.
    int started_since = 0;         // Sequences this router started since then.
    std::int64_t queued_rows = 0;  // Reported, and of those sequences.
    AnnouncedPrefixes prefixes;
    std::string name;        // Empty until the first answer.
    std::string version;     // The same.
    std::string last_hash;   // The last model hash; never forgotten.
    std::string model_hash;  // Empty until the worker was ready once.
    ModelFingerprint fingerprint;
    std::string unproven;  // Why its last answer did not count; else empty.
    bool compared = true;  // All of the fingerprint, as far as is known.
    std::string problem;   // Why it gets no sequences, if it does not.
    std::uint32_t wire_version = kGenerationWireVersion;
    int sequence_options = 0;               // See kSequenceOptions.
    std::optional<std::uint64_t> progress;  // The last number reported.
    absl::Duration progressed;              // Time of its last change.
    bool hangs = false;
    std::string numerics;  // The worker's own; empty: unknown.
    // Signs of life. The watch is null while there is none.
    std::shared_ptr<DenseWatch> watch;
    std::uint64_t watch_number = 0;
    bool watchable = true;       // False: it does not know Watch.
    absl::Duration watch_again;  // The earliest time of the next watch.
    // The watch when the last answer to a poll was asked for.
    std::uint64_t described = 0;
    std::uint64_t losses = 0;  // Ends of watches, and suspicions.
    // The time of the last loss, until the worker is back or a poll that was
    // asked after it has ended.
    std::optional<absl::Duration> lost_at;
    Lease lease;
    // Its time to answer a poll: held from when the poll is asked until one is
    // answered. Not held for a worker that is not watched.
    Lease reply;
    bool silent = false;
    bool speaks_our_wire() const {
      return wire_version == kGenerationWireVersion ||
             wire_version + 1 == kGenerationWireVersion;
    }
    bool usable() const {
      return live && !hangs && problem.empty() && speaks_our_wire();
    }
    // Returns true if it can continue answers that others have begun.
    // Version 1 of the wire has no answer_tokens.
    bool continues() const { return usable() && !silent && wire_version >= 2; }
    // Sequences that it runs, as far as the router knows.
    int load() const { return reported_running + started_since; }
    // Returns why it is not usable, in one line.
    std::string WhyNotUsable() const;
  };

  // Keeps the callbacks of watches from a pool that has been destroyed.
  struct Gate {
    Mutex mutex;
    DensePool* pool ABSL_GUARDED_BY(mutex) = nullptr;
  };

  // Starts to watch the worker, unless it is watched or that is not due.
  void BeginWatch(const std::string& address, Worker& worker,
                  absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The events of the watch with that number; ignored if it is not the
  // worker's.
  void TakeSign(const std::string& address, std::uint64_t watch,
                const internal::v1::SignOfLife& sign);
  void EndOfWatch(const std::string& address, std::uint64_t watch,
                  const grpc::Status& status);
  // Takes the end of a poll as soon as it ends: a round waits for the slowest
  // worker. `answered`: by the worker, if only with an error.
  void TakeReply(const std::string& address, bool answered);
  // Uses a worker that was just lost again as soon as it answers, if it is as
  // it was: a round waits for the slowest worker, and requests for this one.
  void TakeReturn(const std::string& address, std::uint64_t losses,
                  const grpc::Status& status,
                  const grpc::ClientContext& context,
                  const internal::v1::DescribeResponse& response);
  // Gives all workers the time in which this process has not run. Called
  // before anything is judged by the time that has passed.
  void TakeTime(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Marks the worker as silent or not.
  void UpdateSilent(const std::string& address, Worker& worker,
                    absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Updates the numbers of workers in the counters.
  void CountWorkers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns true if another worker can take the sequences of a silent one.
  bool AnotherTakes(const Worker& silent) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Brings `workers_` up to date with `members_` and returns the clients by
  // address.
  std::map<std::string, std::shared_ptr<DenseClient>> Members();
  // Records the loss of a worker, and has it polled at once.
  void Lose(Worker& worker, absl::Duration now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns true if a worker was just lost, and may be back.
  bool Undecided(absl::Duration now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Records that the worker can take sequences, or not.
  void SetLive(const std::string& address, Worker& worker, bool live)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns, by address, the number of other workers that could continue the
  // worker's sequences.
  std::map<std::string, int> Others();
  // Returns true if the worker has answered and is the one that it says it is.
  bool Answered(const std::string& address, Worker& worker,
                const grpc::Status& status, const grpc::ClientContext& context,
                const internal::v1::DescribeResponse& response) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Records a worker's answer, or that it has not answered.
  // `watch`: that when the question was asked.
  void Update(const std::string& address, Worker& worker, std::uint64_t watch,
              bool answered, const internal::v1::DescribeResponse& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Logs it once if a live worker, or the router, does not say all hashes.
  void WarnIfNotCompared(const std::string& address, Worker& worker)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `progress`: the number that it has reported; nullopt: none.
  void UpdateProgress(const std::string& address, Worker& worker, bool answered,
                      std::optional<std::uint64_t> progress)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void CompareModels() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Returns the time in which the worker must answer a poll. One that is not
  // expected to gets less, because the round waits for it.
  std::chrono::milliseconds AnswerLimit(const Worker& worker) const;
  // The state of a worker when a question is asked.
  struct Asked {
    std::uint64_t watch = 0;  // See Worker.
    std::uint64_t losses = 0;
    std::chrono::milliseconds limit{};
  };
  std::map<std::string, Asked> AskAll();
  // Returns the version of the worker's prefixes that is known here.
  std::uint64_t KnownPrefixes(const std::string& address)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns the prefix hashes of a prompt; none if no worker announces any.
  PromptHashes::Hashes HashPrompt(const GenerationRequest& request)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The address and the client of a worker; the client is null if there is
  // none.
  struct Choice {
    std::string address;
    std::shared_ptr<DenseClient> client;
  };
  // Chooses the worker for a prompt with these hashes, none of `avoid`, and
  // counts the sequence on it. Sets `outdated` if some worker could take it,
  // but does not know an option of the request.
  Choice Choose(const GenerationRequest& request,
                const std::vector<std::uint64_t>& hashes,
                const std::set<std::string>& avoid, bool& outdated)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Does the same among the silent workers or the others.
  Choice ChooseAmong(const GenerationRequest& request,
                     const std::vector<std::uint64_t>& hashes,
                     const std::set<std::string>& avoid, bool silent,
                     bool& outdated) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ModelFingerprint own_;
  const Options options_;
  const Clock& clock_;

  PoolCounters counters_;  // Written under mutex_.

  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  std::thread thread_;
  std::unique_ptr<Ticker> ticker_;
  std::atomic<std::uint64_t> signs_{0};
  std::atomic<std::uint64_t> replies_{0};
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> members_ ABSL_GUARDED_BY(mutex_);
  bool poll_at_once_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Worker> workers_ ABSL_GUARDED_BY(mutex_);
  std::string model_hash_ ABSL_GUARDED_BY(mutex_);  // Of the model served.
  std::uint64_t last_watch_ ABSL_GUARDED_BY(mutex_) = 0;  // Its number.
  std::optional<absl::Duration> last_tick_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
