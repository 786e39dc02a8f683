#include "tools/simulate/cluster.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <set>
#include <utility>

#include "tools/simulate/placement.h"

namespace apollo::simulate {
namespace {

constexpr std::int64_t kFrameBytes = 128;  // Of a message without rows.
constexpr std::int64_t kNumberBytes = 4;

}  // namespace

Cluster::Cluster(const Scenario& scenario)
    : scenario_(scenario),
      board_(scenario.expert.count, scenario.model.sparse_layers,
             scenario.model.experts),
      wires_(static_cast<std::size_t>(scenario.dense.count) +
                 static_cast<std::size_t>(scenario.expert.count),
             scenario.link.latency, scenario.link.bytes_per_second),
      running_(scenario.dense.count),
      traffic_(scenario, events_, [this](const Request& r) { Take(r); }) {
  stats_.languages.resize(scenario.traffic.languages.size());
  Network& network = *this;
  DenseNode::Client& client = *this;
  for (int d = 0; d < scenario.dense.count; ++d) {
    dense_.push_back(std::make_unique<DenseNode>(
        d, scenario, events_, MachineOf(d), board_, network, client, stats_));
  }
  const std::vector<std::set<int>> placement = InitialPlacement(scenario);
  for (int w = 0; w < scenario.expert.count; ++w) {
    board_.SetName(w, absl::StrCat("expert-worker-", w));
    expert_.push_back(std::make_unique<ExpertNode>(
        w, scenario, events_, MachineOf(scenario.dense.count + w), board_,
        network, stats_));
    expert_.back()->Start(placement[w]);
  }
}

Machine& Cluster::MachineOf(int process) {
  const int each = scenario_.machines.workers_per_machine;
  const std::size_t machine =
      each == 0 ? 0 : static_cast<std::size_t>(process / each);
  while (machines_.size() <= machine) {
    machines_.push_back(
        std::make_unique<Machine>(events_, scenario_.machines.cores));
  }
  return *machines_[machine];
}

void Cluster::Run() {
  for (int w = 0; w < scenario_.expert.count; ++w) {
    // Workers report at different times.
    events_.At(FromSeconds(scenario_.report_seconds * (w + 1) /
                           scenario_.expert.count),
               [this, w] { Report(w); });
  }
  for (const Scenario::Failure& failure : scenario_.failures) {
    const int worker = failure.expert_worker;
    events_.At(FromSeconds(failure.at), [this, worker] { Lose(worker); });
    if (failure.back_at > failure.at) {
      events_.At(FromSeconds(failure.back_at), [this, worker] {
        expert_[worker]->Start(InitialPlacement(scenario_)[worker]);
      });
    }
  }
  events_.At(0, [this] { CountHolders(); });
  traffic_.Start();
  events_.RunUntil(FromSeconds(scenario_.seconds));
}

bool Cluster::Counts() const {
  return events_.now() >= FromSeconds(scenario_.warm_up_seconds);
}

void Cluster::Take(const Request& request) {
  ++stats_.arrived;
  if (Counts()) ++stats_.languages[request.language].requests;
  const auto least = std::min_element(running_.begin(), running_.end());
  ++*least;
  const auto dense = least - running_.begin();
  events_.After(FromSeconds(scenario_.router.request_seconds),
                [this, dense, request] { dense_[dense]->Submit(request); });
}

void Cluster::OnToken(const Request& request, int index) {
  const Time now = events_.now() + FromSeconds(scenario_.router.token_seconds);
  ++stats_.tokens;
  const auto second = static_cast<std::size_t>(ToSeconds(events_.now()));
  if (stats_.tokens_by_second.size() <= second) {
    stats_.tokens_by_second.resize(second + 1);
    stats_.between_by_second.resize(second + 1);
  }
  ++stats_.tokens_by_second[second];
  Time& last = last_token_[request.id];
  if (index > 0) stats_.between_by_second[second].Add(now - last);
  if (Counts()) {
    Stats::Language& language = stats_.languages[request.language];
    ++stats_.counted_tokens;
    ++language.tokens;
    if (index == 0) {
      stats_.first_token.Add(now - request.arrived);
      language.first_token.Add(now - request.arrived);
    } else {
      stats_.between_tokens.Add(now - last);
    }
  }
  last = now;
}

void Cluster::OnEnd(const Request& request, int dense, bool ok) {
  --running_[dense];
  last_token_.erase(request.id);
  if (ok) stats_.finished_tokens += request.answer;
  if (ok && Counts()) {
    stats_.whole_request.Add(events_.now() - request.arrived);
  }
  // Later, because the dense worker is in the middle of something.
  events_.After(0, [this] { traffic_.Ended(); });
}

std::int64_t Cluster::BytesOf(int rows) const {
  return kFrameBytes + kNumberBytes * rows * scenario_.model.hidden;
}

template <typename F>
void Cluster::ToExpert(std::size_t from, int worker, std::int64_t bytes,
                       F deliver) {
  if (!expert_[worker]->up()) return;
  events_.At(wires_.Arrival(from, events_.now(), bytes),
             [this, worker, life = expert_[worker]->life(),
              deliver = std::move(deliver)]() mutable {
               ExpertNode& node = *expert_[worker];
               if (node.up() && node.life() == life) deliver(node);
             });
}

void Cluster::SendStep(int worker, StepPart part) {
  const std::size_t from = static_cast<std::size_t>(part.dense);
  const std::int64_t bytes = BytesOf(part.rows());
  ToExpert(from, worker, bytes,
           [part = std::move(part)](ExpertNode& n) mutable {
             n.TakeStep(std::move(part));
           });
}

void Cluster::SendRelease(int dense, int worker, std::uint64_t sequence) {
  ToExpert(static_cast<std::size_t>(dense), worker, kFrameBytes,
           [sequence](ExpertNode& node) { node.TakeRelease(sequence); });
}

void Cluster::SendResult(int worker, StepPart part) {
  const std::size_t from = static_cast<std::size_t>(scenario_.dense.count) +
                           static_cast<std::size_t>(worker);
  events_.At(wires_.Arrival(from, events_.now(), kFrameBytes),
             [this, worker, part = std::move(part)] {
               dense_[part.dense]->TakeResult(worker, part);
             });
}

void Cluster::SendGuests(int to, Guests guests) {
  const std::size_t from = static_cast<std::size_t>(scenario_.dense.count) +
                           static_cast<std::size_t>(guests.from);
  ToExpert(from, to, BytesOf(guests.rows),
           [guests](ExpertNode& node) { node.TakeGuests(guests); });
}

void Cluster::SendOutputs(int worker, Guests guests) {
  const std::size_t from = static_cast<std::size_t>(scenario_.dense.count) +
                           static_cast<std::size_t>(worker);
  ToExpert(from, guests.from, BytesOf(guests.rows),
           [guests](ExpertNode& node) { node.TakeOutputs(guests); });
}

void Cluster::Report(int worker) {
  expert_[worker]->Report();
  if (scenario_.expert.placement == Scenario::Placement::kAuto) {
    expert_[worker]->Decide();
  }
  events_.After(FromSeconds(scenario_.report_seconds),
                [this, worker] { Report(worker); });
}

void Cluster::CountHolders() {
  std::vector<int> holders(scenario_.model.experts);
  for (int w = 0; w < scenario_.expert.count; ++w) {
    for (const int e : board_.report(w).resident.everywhere) ++holders[e];
  }
  stats_.holders_by_second.push_back(std::move(holders));
  events_.After(FromSeconds(1), [this] { CountHolders(); });
}

void Cluster::Lose(int worker) {
  expert_[worker]->Stop();
  events_.After(FromSeconds(scenario_.lease_seconds),
                [this, worker, life = expert_[worker]->life()] {
                  if (expert_[worker]->life() == life) Notice(worker);
                });
}

void Cluster::Notice(int worker) {
  if (!expert_[worker]->up()) board_.Take(worker, {});
  for (const auto& node : expert_) {
    if (node->up()) node->LosePeer(worker);
  }
  for (const auto& node : dense_) node->LoseWorker(worker);
}

std::vector<double> Cluster::DenseUse() const {
  std::vector<double> use;
  for (const auto& node : dense_) {
    use.push_back(ToSeconds(node->worked()) / scenario_.seconds);
  }
  return use;
}

std::vector<double> Cluster::ExpertUse() const {
  std::vector<double> use;
  for (const auto& node : expert_) {
    use.push_back(ToSeconds(node->worked()) / scenario_.seconds);
  }
  return use;
}

int Cluster::Running() const {
  int running = 0;
  for (const auto& node : dense_) running += node->running();
  return running;
}

}  // namespace apollo::simulate
