// The questions that operators ask all workers of a DensePool.

#include <absl/strings/str_cat.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "link/worker_details_codec.h"
#include "router/cluster_status.h"
#include "router/dense_pool.h"

namespace apollo {
namespace {

// A question to several workers at the same time.
template <typename Answer>
struct Round {
  std::vector<Answer> answers;  // One for each worker, as known before.
  // Those that are asked, each with the index of its answer.
  std::vector<std::pair<std::size_t, std::shared_ptr<DenseClient>>> asked;
};

// Asks the workers of a round. `ask` gets a client, and a function to call
// once, from any thread, which takes a change of its answer. Calls `done` with
// all answers once: when the last has come, or at once if nobody is asked.
template <typename Answer, typename Ask>
void AskWorkers(Round<Answer> round, const Ask& ask,
                std::function<void(std::vector<Answer>)> done) {
  if (round.asked.empty()) return done(std::move(round.answers));
  struct Collection {
    Mutex mutex;
    std::vector<Answer> answers ABSL_GUARDED_BY(mutex);
    std::size_t missing ABSL_GUARDED_BY(mutex) = 0;
    std::function<void(std::vector<Answer>)> done;
  };
  auto collection = std::make_shared<Collection>();
  collection->done = std::move(done);
  {
    MutexLock lock(collection->mutex);
    collection->answers = std::move(round.answers);
    collection->missing = round.asked.size();
  }
  for (const auto& [index, client] : round.asked) {
    ask(*client, [collection, index = index](const auto& change) {
      std::vector<Answer> all;
      {
        MutexLock lock(collection->mutex);
        change(collection->answers[index]);
        if (--collection->missing > 0) return;
        all = std::move(collection->answers);
      }
      collection->done(std::move(all));
    });
  }
}

void Take(absl::StatusOr<internal::v1::DescribeResponse> answer,
          DenseStatus& status) {
  status.answered = answer.ok();
  if (!answer.ok()) {
    status.usable = false;
    status.reason = std::string(answer.status().message());
    return;
  }
  status.name = answer->name();
  status.model_hash = answer->model_hash();
  status.version = answer->version();
  status.running_sequences = static_cast<int>(answer->running_sequences());
  status.queued_rows = static_cast<int>(answer->queued_rows());
  if (answer->has_details()) status.details = FromProto(answer->details());
}

}  // namespace

void DensePool::CollectRouting(
    absl::Duration window,
    std::function<void(std::vector<WorkerRouting>)> done) {
  Round<WorkerRouting> round;
  {
    MutexLock lock(mutex_);
    for (const auto& [address, worker] : workers_) {
      WorkerRouting& answer = round.answers.emplace_back(
          WorkerRouting{worker.name.empty() ? address : worker.name,
                        absl::UnavailableError("it has not answered")});
      if (worker.problem.empty()) {
        round.asked.emplace_back(round.answers.size() - 1, worker.client);
      } else {
        answer.counts = absl::FailedPreconditionError(
            absl::StrCat("it serves another model: ", worker.problem));
      }
    }
  }
  AskWorkers(
      std::move(round),
      [window](DenseClient& client, auto answered) {
        client.CollectRouting(window,
                              [answered](absl::StatusOr<RoutingCounts> counts) {
                                answered([&counts](WorkerRouting& answer) {
                                  answer.counts = std::move(counts);
                                });
                              });
      },
      std::move(done));
}

void DensePool::CollectStatus(
    std::function<void(std::vector<ProcessStatus>)> done) {
  Round<DenseStatus> round;
  {
    MutexLock lock(mutex_);
    for (const auto& [address, worker] : workers_) {
      round.asked.emplace_back(round.answers.size(), worker.client);
      round.answers.push_back({.address = address,
                               .usable = worker.usable(),
                               .reason = worker.WhyNotUsable(),
                               .name = worker.name,
                               .model_hash = worker.last_hash,
                               .version = worker.version});
    }
  }
  AskWorkers<DenseStatus>(
      std::move(round),
      [](DenseClient& client, auto answered) {
        client.Describe(
            [answered](absl::StatusOr<internal::v1::DescribeResponse> answer) {
              answered([&answer](DenseStatus& status) {
                Take(std::move(answer), status);
              });
            });
      },
      [done = std::move(done)](const std::vector<DenseStatus>& all) {
        done(MergeStatus(all));
      });
}

}  // namespace apollo
