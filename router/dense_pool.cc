#include "router/dense_pool.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "common/log.h"
#include "router/worker_choice.h"
#include "sequence/prefix_hash.h"
#include "sequence/sequence_end.h"
#include "serving/cluster_channel.h"
#include "serving/peer_name.h"

namespace apollo {
namespace {

// Between the beginnings of two polls.
constexpr auto kLeastPollInterval = std::chrono::milliseconds(20);

}  // namespace

DensePool::DensePool(ModelFingerprint own, Options options, const Clock& clock)
    : own_(std::move(own)), options_(options), clock_(clock) {
  MutexLock lock(gate_->mutex);
  gate_->pool = this;
}

DensePool::~DensePool() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  ticker_.reset();
  {
    MutexLock lock(gate_->mutex);  // Waits for a callback in progress.
    gate_->pool = nullptr;
  }
  MutexLock lock(mutex_);
  for (const auto& [address, worker] : workers_) {
    if (worker.watch != nullptr) worker.watch->Cancel();
  }
}

void DensePool::SetMembers(const std::vector<std::string>& addresses) {
  {
    MutexLock lock(mutex_);
    members_ = addresses;
    poll_at_once_ = true;
  }
  changed_.notify_all();
}

void DensePool::StartPolling() {
  ticker_ = std::make_unique<Ticker>(kTick, [this] { Tick(); });
  thread_ = std::thread([this] {
    for (;;) {
      const auto begun = std::chrono::steady_clock::now();
      Poll();
      MutexLock lock(mutex_);
      if (!stopping_ && !poll_at_once_) {
        changed_.wait_for(mutex_,
                          absl::ToChronoMilliseconds(options_.poll_interval));
      }
      // A worker may be lost again and again.
      const auto next = begun + kLeastPollInterval;
      while (!stopping_ &&
             changed_.wait_until(mutex_, next) != std::cv_status::timeout) {
      }
      if (stopping_) return;
    }
  });
}

std::map<std::string, std::shared_ptr<DenseClient>> DensePool::Members() {
  MutexLock lock(mutex_);
  poll_at_once_ = false;
  std::map<std::string, std::shared_ptr<DenseClient>> clients;
  std::map<std::string, Worker> next;
  for (const std::string& address : members_) {
    const auto it = workers_.find(address);
    Worker& worker = next[address];
    if (it != workers_.end()) worker = std::move(it->second);
    if (worker.client == nullptr) {
      worker.client = std::make_shared<DenseClient>(
          options_.channels != nullptr
              ? options_.channels(address)
              : ChannelsTo(PeerRole::kDenseWorker, nullptr)(address),
          options_.answer_limit);
      worker.progressed = clock_.Now();
    }
    clients[address] = worker.client;
  }
  for (const auto& [address, worker] : workers_) {
    if (worker.watch != nullptr && !next.contains(address)) {
      worker.watch->Cancel();
    }
  }
  workers_ = std::move(next);
  return clients;
}

std::string DensePool::Worker::WhyNotUsable() const {
  if (!answered) return "it does not answer";
  if (!problem.empty()) return problem;
  if (!speaks_our_wire()) {
    return absl::StrCat("its wire version, ", wire_version,
                        ", is not supported");
  }
  if (hangs) return "its engine makes no progress";
  if (silent) return "it gives no sign of life or answers no poll";
  if (!live) return "it reaches no expert worker that has all experts";
  return "";
}

PromptHashes::Hashes DensePool::HashPrompt(const GenerationRequest& request) {
  std::string model_hash;
  {
    MutexLock lock(mutex_);
    const bool announced =
        std::any_of(workers_.begin(), workers_.end(), [](const auto& entry) {
          return entry.second.usable() && entry.second.prefixes.version() != 0;
        });
    if (!announced) return std::make_shared<std::vector<std::uint64_t>>();
    model_hash = model_hash_;
  }
  if (request.prompt_hashes != nullptr) {
    return request.prompt_hashes->Of(model_hash, request);
  }
  return PromptHashes().Of(model_hash, request);
}

DensePool::Choice DensePool::Choose(const GenerationRequest& request,
                                    const std::vector<std::uint64_t>& hashes,
                                    const std::set<std::string>& avoid,
                                    bool& outdated) {
  // Silent ones come last.
  for (const bool silent : {false, true}) {
    Choice choice = ChooseAmong(request, hashes, avoid, silent, outdated);
    if (choice.client != nullptr) return choice;
  }
  return {};
}

DensePool::Choice DensePool::ChooseAmong(
    const GenerationRequest& request, const std::vector<std::uint64_t>& hashes,
    const std::set<std::string>& avoid, bool silent, bool& outdated) {
  std::vector<std::pair<const std::string, Worker>*> workers;
  std::vector<WorkerLoad> loads;  // The same workers.
  for (auto& entry : workers_) {
    const Worker& worker = entry.second;
    if (!worker.usable() || worker.silent != silent ||
        avoid.contains(entry.first)) {
      continue;
    }
    if (NeedsNewOptions(request) && worker.sequence_options < 1) {
      outdated = true;
      continue;
    }
    // Version 1 of the wire has no answer_tokens.
    if (request.answer_tokens > 0 && worker.wire_version < 2) continue;
    workers.push_back(&entry);
    loads.push_back({worker.load(), worker.queued_rows,
                     static_cast<std::int64_t>(
                         kPrefixTokens * worker.prefixes.Longest(hashes))});
  }
  const auto tokens = static_cast<std::int64_t>(request.prompt.size());
  const auto best = ChooseWorker(tokens, loads);
  if (!best) return {};
  Worker& worker = workers[*best]->second;
  const std::int64_t cached = loads[*best].cached_tokens;
  ++(cached > 0 ? counters_.by_prefix : counters_.by_load);
  counters_.prompt_tokens += tokens;
  counters_.prefix_tokens += cached;
  ++worker.started_since;
  worker.queued_rows += tokens - cached;
  worker.prefixes.Expect(hashes);
  return {workers[*best]->first, worker.client};
}

std::unique_ptr<GenerationCall> DensePool::Start(
    GenerationRequest request, std::shared_ptr<GenerationSink> sink) {
  return StartElsewhere(std::move(request), std::move(sink), {},
                        [](const std::string&) {});
}

std::unique_ptr<GenerationCall> DensePool::StartElsewhere(
    GenerationRequest request, std::shared_ptr<GenerationSink> sink,
    const std::set<std::string>& avoid,
    const std::function<void(const std::string&)>& chosen) {
  const PromptHashes::Hashes hashes = HashPrompt(request);
  const absl::Duration now = clock_.Now();
  Choice choice;
  bool outdated = false, undecided = false;
  {
    MutexLock lock(mutex_);
    choice = Choose(request, *hashes, avoid, outdated);
    undecided = Undecided(now);
  }
  const auto& [name, client] = choice;
  if (client == nullptr) {
    sink->OnFinished(WithEnd(
        absl::UnavailableError(
            outdated
                ? "the dense workers that are ready are of an older version, "
                  "which does not know sampling.min_p, sampling.logit_bias "
                  "and prompt_logprobs; try again"
                : "no dense worker is ready; try again"),
        undecided ? SequenceEnd::kUndecided : SequenceEnd::kAnswered));
    return nullptr;
  }
  chosen(name);
  return client->Start(std::move(request), std::move(sink));
}

void DensePool::Lose(Worker& worker, absl::Duration now) {
  ++worker.losses;
  worker.lost_at = now;
  poll_at_once_ = true;
  changed_.notify_all();
}

bool DensePool::Undecided(absl::Duration now) const {
  return std::any_of(workers_.begin(), workers_.end(), [&](const auto& entry) {
    const Worker& worker = entry.second;
    return worker.lost_at && now - *worker.lost_at < options_.lease &&
           worker.problem.empty() && worker.speaks_our_wire();
  });
}

void DensePool::Suspect(const std::string& worker) {
  const absl::Duration now = clock_.Now();
  MutexLock lock(mutex_);
  const auto it = workers_.find(worker);
  if (it == workers_.end() || !it->second.live) return;
  LogInfo("dense_worker_suspected",
          {{"address", worker}, {"name", it->second.name}});
  it->second.live = false;  // Until the next sign or answer.
  Lose(it->second, now);
}

bool DensePool::Ready() {
  MutexLock lock(mutex_);
  for (const auto& [address, worker] : workers_) {
    if (worker.usable()) return true;
  }
  return false;
}

std::string DensePool::ModelHash() {
  MutexLock lock(mutex_);
  return model_hash_;
}

}  // namespace apollo
