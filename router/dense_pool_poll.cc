// How a DensePool asks its workers how they are, and judges their answers.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "common/log.h"
#include "link/cached_prefixes_codec.h"
#include "router/dense_pool.h"
#include "sequence/sequence_end.h"

namespace apollo {
namespace {

// A worker cannot have more; the bound keeps sums from overflowing.
constexpr std::uint64_t kMostQueuedRows = std::uint64_t{1} << 40;
// The time for a worker that is silent or has not answered the last poll.
constexpr auto kLateAnswerLimit = std::chrono::milliseconds(500);
// One of so many polls has the full limit nevertheless, for a worker that is
// only slow.
constexpr int kFullLimitPolls = 10;

struct Answer {
  grpc::ClientContext context;
  internal::v1::DescribeRequest request;
  internal::v1::DescribeResponse response;
  Mutex mutex;
  CondVar done;
  bool ready ABSL_GUARDED_BY(mutex) = false;
  grpc::Status status ABSL_GUARDED_BY(mutex);
};

}  // namespace

std::map<std::string, int> DensePool::Others() {
  MutexLock lock(mutex_);
  // By numerics: only workers with the same ones can continue an answer.
  std::map<std::string, int> takers;
  for (const auto& [address, worker] : workers_) {
    takers[worker.numerics] += worker.continues();
  }
  std::map<std::string, int> others;
  for (const auto& [address, worker] : workers_) {
    others[address] = takers[worker.numerics] - worker.continues();
  }
  return others;
}

void DensePool::Poll() {
  const std::map<std::string, std::shared_ptr<DenseClient>> clients = Members();
  const std::map<std::string, int> others = Others();
  const std::map<std::string, Asked> asked = AskAll();
  // All workers are polled in parallel. A worker that hangs delays this round,
  // but no request.
  std::map<std::string, std::unique_ptr<Answer>> answers;
  for (const auto& [address, client] : clients) {
    auto& answer = *(answers[address] = std::make_unique<Answer>());
    answer.context.set_deadline(std::chrono::system_clock::now() +
                                asked.at(address).limit);
    answer.request.set_known_prefixes(KnownPrefixes(address));
    answer.request.set_other_workers(others.at(address));
    client->stub().async()->Describe(
        &answer.context, &answer.request, &answer.response,
        [this, &answer, address = address,
         losses = asked.at(address).losses](grpc::Status status) {
          TakeReply(address, status.error_code() != grpc::DEADLINE_EXCEEDED);
          TakeReturn(address, losses, status, answer.context, answer.response);
          MutexLock lock(answer.mutex);
          answer.status = std::move(status);
          answer.ready = true;
          answer.done.notify_all();
        });
  }
  for (auto& [address, answer] : answers) {
    MutexLock lock(answer->mutex);
    while (!answer->ready) answer->done.wait(answer->mutex);
  }
  std::vector<std::shared_ptr<DenseClient>> hanging;
  {
    MutexLock lock(mutex_);
    if (last_tick_) TakeTime(clock_.Now());
    for (auto& [address, answer] : answers) {
      const auto it = workers_.find(address);
      if (it == workers_.end()) continue;
      MutexLock answered(answer->mutex);
      Worker& worker = it->second;
      worker.late_polls = answer->status.ok() ? 0 : worker.late_polls + 1;
      // A worker that gives signs has only been late.
      if (!answer->status.ok() && worker.lease.held() &&
          !worker.lease.Expired(clock_.Now(), options_.lease)) {
        continue;
      }
      // The round waits for the slowest worker. If the worker was lost
      // meanwhile, this may be the answer of a process that is gone.
      const Asked& then = asked.at(address);
      const bool since_loss = then.losses == worker.losses;
      if (answer->status.ok() && !since_loss) continue;
      if (since_loss) worker.lost_at.reset();
      Update(address, worker, then.watch,
             Answered(address, worker, answer->status, answer->context,
                      answer->response),
             answer->response);
    }
    for (auto& [address, worker] : workers_) {
      if (worker.hangs) hanging.push_back(worker.client);
    }
    // After all updates, so that the majority does not depend on their order.
    CompareModels();
  }
  // At every poll: a sequence may have been started on a hanging worker since
  // the last one.
  for (const auto& client : hanging) {
    client->AbandonAll(
        WithEnd(absl::UnavailableError("the dense worker hangs; try again"),
                SequenceEnd::kLost));
  }
}

void DensePool::TakeReturn(const std::string& address, std::uint64_t losses,
                           const grpc::Status& status,
                           const grpc::ClientContext& context,
                           const internal::v1::DescribeResponse& response) {
  MutexLock lock(mutex_);
  const auto it = workers_.find(address);
  if (it == workers_.end()) return;
  Worker& worker = it->second;
  if (!worker.lost_at || worker.losses != losses || !response.ready() ||
      response.name() != worker.name ||
      response.model_hash() != worker.model_hash ||
      response.numerics() != worker.numerics ||
      std::max<std::uint32_t>(1, response.wire_version()) !=
          worker.wire_version ||
      !Answered(address, worker, status, context, response)) {
    return;  // The end of the round tells more.
  }
  SetLive(address, worker, /*live=*/true);
}

std::map<std::string, DensePool::Asked> DensePool::AskAll() {
  const absl::Duration now = clock_.Now();
  MutexLock lock(mutex_);
  std::map<std::string, Asked> asked;
  for (auto& [address, worker] : workers_) {
    auto limit = AnswerLimit(worker);
    if (worker.lease.held()) {
      // A tick must find the poll unanswered before it ends.
      limit = std::max(limit,
                       absl::ToChronoMilliseconds(options_.lease + 2 * kTick));
      if (!worker.reply.held()) worker.reply.Renew(now);
    }
    asked[address] = {worker.watch_number, worker.losses, limit};
  }
  return asked;
}

std::chrono::milliseconds DensePool::AnswerLimit(const Worker& worker) const {
  const bool expected = worker.late_polls == 0 && !worker.silent;
  const bool full =
      expected || worker.late_polls % kFullLimitPolls == kFullLimitPolls - 1;
  return full ? options_.answer_limit : kLateAnswerLimit;
}

void DensePool::SetLive(const std::string& address, Worker& worker, bool live) {
  if (live != worker.live) {
    LogInfo(live ? "dense_worker_found" : "dense_worker_lost",
            {{"address", address}, {"name", worker.name}});
  }
  // It may have been replaced by one of a newer release.
  if (live && !worker.live) worker.watchable = true;
  if (live) worker.lost_at.reset();
  worker.live = live;
}

void DensePool::Update(const std::string& address, Worker& worker,
                       std::uint64_t watch, bool answered,
                       const internal::v1::DescribeResponse& response) {
  const bool live = answered && response.ready();
  if (answered) worker.name = response.name();
  SetLive(address, worker, live);
  worker.started_since = 0;
  worker.reported_running = static_cast<int>(response.running_sequences());
  worker.queued_rows = static_cast<std::int64_t>(
      std::min(response.queued_rows(), kMostQueuedRows));
  if (response.has_prefixes()) {
    worker.prefixes.Take(FromProto(response.prefixes()));
  } else {
    worker.prefixes.Clear();
  }
  if (live) {
    worker.absent_since.reset();
  } else if (!worker.absent_since) {
    worker.absent_since = clock_.Now();
  } else if (clock_.Now() - *worker.absent_since >= kForget) {
    worker.model_hash.clear();
  }
  if (live) {
    worker.model_hash = response.model_hash();
    worker.fingerprint = {response.config_hash(), response.tokenizer_hash()};
    WarnIfNotCompared(address, worker);
  }
  // Version 1 reports no progress: an answer counts as progress.
  UpdateProgress(address, worker, answered,
                 response.has_progress() ? std::optional(response.progress())
                                         : std::nullopt);
  worker.answered = answered;
  if (!answered) return;
  worker.described = watch;
  worker.numerics = response.numerics();
  worker.sequence_options = static_cast<int>(response.sequence_options());
  worker.version = response.version();
  worker.last_hash = response.model_hash();
  const std::uint32_t before = worker.wire_version;
  worker.wire_version = std::max<std::uint32_t>(1, response.wire_version());
  if (worker.wire_version != before && !worker.speaks_our_wire()) {
    LogError("dense_worker_refused",
             {{"address", address},
              {"name", worker.name},
              {"wire_version", static_cast<int>(worker.wire_version)},
              {"supported_wire_versions",
               absl::StrCat(kGenerationWireVersion - 1, ",",
                            kGenerationWireVersion)}});
  }
}

void DensePool::WarnIfNotCompared(const std::string& address, Worker& worker) {
  const bool compared = !worker.fingerprint.config.empty() &&
                        !own_.tokenizer.empty() &&
                        !worker.fingerprint.tokenizer.empty();
  if (!compared && worker.compared) {
    LogWarning("dense_worker_not_compared",
               {{"address", address},
                {"name", worker.name},
                {"reason",
                 "it or the router does not report the hash of its config.json "
                 "or tokenizer.json, so their models may differ"}});
  }
  worker.compared = compared;
}

void DensePool::UpdateProgress(const std::string& address, Worker& worker,
                               bool answered,
                               std::optional<std::uint64_t> progress) {
  if (answered && (!progress || worker.progress != progress)) {
    worker.progressed = clock_.Now();
    worker.progress = progress.value_or(0);
  }
  const bool hangs = clock_.Now() - worker.progressed > options_.worker_timeout;
  // A worker that does not answer has been logged as lost already.
  if (hangs && !worker.hangs && answered) {
    LogError("dense_worker_hung",
             {{"address", address},
              {"name", worker.name},
              {"seconds", absl::ToDoubleSeconds(options_.worker_timeout)}});
  } else if (!hangs && worker.hangs) {
    LogInfo("dense_worker_recovered",
            {{"address", address}, {"name", worker.name}});
  }
  worker.hangs = hangs;
}

void DensePool::CompareModels() {
  std::map<std::string, int> counts;  // By model hash; includes lost workers.
  for (const auto& [address, worker] : workers_) {
    if (worker.model_hash.empty()) continue;
    if (Difference(own_, worker.fingerprint).empty())
      ++counts[worker.model_hash];
  }
  const auto present = counts.find(model_hash_);
  int most = present != counts.end() ? present->second : 0;
  for (const auto& [hash, count] : counts) {
    if (count <= most) continue;
    most = count;
    model_hash_ = hash;
  }
  for (auto& [address, worker] : workers_) {
    std::string problem;
    if (!worker.model_hash.empty()) {
      problem = Difference(own_, worker.fingerprint);
      if (problem.empty() && worker.model_hash != model_hash_) {
        problem =
            absl::StrCat("its model hash differs from that of most workers: ",
                         worker.model_hash, ", not ", model_hash_);
      } else if (!problem.empty()) {
        problem = absl::StrCat("compared with the router's, its ", problem);
      }
    }
    if (problem == worker.problem) continue;
    worker.problem = std::move(problem);
    if (worker.problem.empty()) {
      LogInfo("dense_worker_model_accepted",
              {{"address", address}, {"name", worker.name}});
    } else {
      LogError("dense_worker_model_rejected",
               {{"address", address},
                {"name", worker.name},
                {"reason", absl::StrCat(worker.problem,
                                        "; it gets no requests until all "
                                        "serve copies of one model directory "
                                        "with the same --weights")},
                {"model_hash", worker.model_hash},
                {"served_model_hash", model_hash_}});
    }
  }
}

std::uint64_t DensePool::KnownPrefixes(const std::string& address) {
  MutexLock lock(mutex_);
  const auto it = workers_.find(address);
  return it == workers_.end() ? 0 : it->second.prefixes.version();
}

}  // namespace apollo
