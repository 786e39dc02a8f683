// The signs of life of a DensePool's workers.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/log.h"
#include "router/dense_pool.h"
#include "sequence/sequence_end.h"

namespace apollo {
namespace {

// The pause after a watch that broke.
constexpr absl::Duration kWatchPause = absl::Milliseconds(200);

}  // namespace

void DensePool::TakeTime(absl::Duration now) {
  const absl::Duration missed =
      last_tick_ ? Missed(*last_tick_, now, kTick) : absl::ZeroDuration();
  last_tick_ = now;
  for (auto& [address, worker] : workers_) {
    worker.lease.Extend(missed, now);
    worker.reply.Extend(missed, now);
    worker.progressed = std::min(worker.progressed + missed, now);
    if (worker.lost_at) {
      worker.lost_at = std::min(*worker.lost_at + missed, now);
    }
  }
}

void DensePool::Tick() {
  std::vector<std::shared_ptr<DenseClient>> lost;
  const absl::Duration now = clock_.Now();
  {
    MutexLock lock(mutex_);
    TakeTime(now);
    for (auto& [address, worker] : workers_) {
      BeginWatch(address, worker, now);
      UpdateSilent(address, worker, now);
    }
    for (const auto& [address, worker] : workers_) {
      if (worker.silent && AnotherTakes(worker)) lost.push_back(worker.client);
    }
    CountWorkers();
  }
  // At every tick: another worker may only now be able to take the sequences,
  // and a sequence may just have been started on the silent one.
  for (const auto& client : lost) {
    client->AbandonAll(
        WithEnd(absl::UnavailableError(absl::StrCat(
                    "the dense worker gave no sign of life or no answer for ",
                    absl::FormatDuration(options_.lease), "; try again")),
                SequenceEnd::kSilent));
  }
}

void DensePool::CountWorkers() {
  std::int64_t live = 0, silent = 0;
  for (const auto& [address, worker] : workers_) {
    live += worker.usable() ? 1 : 0;
    silent += worker.usable() && worker.silent ? 1 : 0;
  }
  counters_.listed_workers = std::ssize(workers_);
  counters_.live_workers = live;
  counters_.silent_workers = silent;
}

void DensePool::BeginWatch(const std::string& address, Worker& worker,
                           absl::Duration now) {
  if (worker.watch != nullptr || !worker.watchable ||
      worker.client == nullptr || now < worker.watch_again) {
    return;
  }
  const std::uint64_t number = ++last_watch_;
  worker.watch_number = number;
  worker.watch = std::make_shared<DenseWatch>(
      [gate = gate_, address, number](const auto& sign) {
        MutexLock lock(gate->mutex);
        if (gate->pool != nullptr) gate->pool->TakeSign(address, number, sign);
      },
      [gate = gate_, address, number](const grpc::Status& status) {
        MutexLock lock(gate->mutex);
        if (gate->pool == nullptr) return;
        gate->pool->EndOfWatch(address, number, status);
      });
  worker.watch->Begin(worker.client->shared_stub());
}

void DensePool::TakeSign(const std::string& address, std::uint64_t watch,
                         const internal::v1::SignOfLife& sign) {
  const absl::Duration now = clock_.Now();
  MutexLock lock(mutex_);
  const auto it = workers_.find(address);
  if (it == workers_.end() || it->second.watch_number != watch) return;
  Worker& worker = it->second;
  if (last_tick_) TakeTime(now);
  worker.lease.Renew(now);
  UpdateSilent(address, worker, now);
  UpdateProgress(address, worker, /*answered=*/true, sign.progress());
  // A poll must have told first which model it serves.
  if (worker.described == watch) SetLive(address, worker, sign.ready());
  ++signs_;
}

void DensePool::EndOfWatch(const std::string& address, std::uint64_t watch,
                           const grpc::Status& status) {
  const absl::Duration now = clock_.Now();
  // Destroyed after the lock.
  std::shared_ptr<DenseWatch> ended;
  MutexLock lock(mutex_);
  const auto it = workers_.find(address);
  if (it == workers_.end() || it->second.watch_number != watch) return;
  Worker& worker = it->second;
  ended = std::move(worker.watch);
  worker.watch = nullptr;
  worker.watch_again = now + kWatchPause;
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    worker.watchable = false;  // Of an older release: it is polled.
    return;
  }
  // The connection is closed, or the worker is about to stop. Until it is
  // watched again, only polls tell.
  if (worker.lease.held()) {
    SetLive(address, worker, /*live=*/false);
    Lose(worker, now);
  }
  worker.lease.End();
  worker.reply.End();
  UpdateSilent(address, worker, now);
}

void DensePool::TakeReply(const std::string& address, bool answered) {
  const absl::Duration now = clock_.Now();
  MutexLock lock(mutex_);
  const auto it = workers_.find(address);
  if (it == workers_.end()) return;
  Worker& worker = it->second;
  if (last_tick_) TakeTime(now);
  // A poll that ended before its time was over says nothing: the router itself
  // did not run.
  if (answered || !worker.reply.Expired(now, options_.lease)) {
    worker.reply.End();
  }
  UpdateSilent(address, worker, now);
  ++replies_;
}

void DensePool::UpdateSilent(const std::string& address, Worker& worker,
                             absl::Duration now) {
  const bool no_sign = worker.lease.Expired(now, options_.lease);
  const bool silent = no_sign || worker.reply.Expired(now, options_.lease);
  // Nothing else tells how long its engine has made no progress.
  if (silent) {
    UpdateProgress(address, worker, /*answered=*/false, std::nullopt);
  }
  if (silent == worker.silent) return;
  worker.silent = silent;
  if (silent) {
    LogWarning("lease_expired",
               {{"address", address},
                {"name", worker.name},
                {"missing", no_sign ? "sign" : "answer"},
                {"seconds", absl::ToDoubleSeconds(options_.lease)}});
  } else {
    LogInfo("lease_renewed", {{"address", address}, {"name", worker.name}});
  }
}

bool DensePool::AnotherTakes(const Worker& silent) const {
  for (const auto& [address, worker] : workers_) {
    if (worker.continues() && worker.numerics == silent.numerics) return true;
  }
  return false;
}

}  // namespace apollo
