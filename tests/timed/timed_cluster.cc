#include "tests/timed/timed_cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "model/language/families.h"
#include "model/language/language_labels.h"

namespace apollo {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(50);
constexpr std::int64_t kExpertBytes = 1 << 20;

}  // namespace

void TimedSink::OnStarted(const GenerationStarted& started) {
  EXPECT_TRUE(first_worker.empty()) << "started twice";
  first_worker = started.expert_worker;
}

void TimedSink::OnToken(const GeneratedToken& token) {
  EXPECT_FALSE(finished) << "a token after the end";
  EXPECT_EQ(token.index, static_cast<int>(tokens.size()));
  tokens.push_back(token.token);
  times.push_back(clock_.Now());
}

void TimedSink::OnFinished(absl::StatusOr<GenerationFinished> result) {
  EXPECT_FALSE(finished) << "finished twice";
  finished = true;
  status = result.status();
}

// A process: its events happen unless it has died, and wait while it is frozen.
// After each one, its core works until it has to wait.
class TimedCluster::Node : public Timer {
 public:
  Node(std::string name, VirtualTime& time)
      : name_(std::move(name)), time_(time) {}

  absl::Duration Now() const override { return time_.Now(); }
  void After(absl::Duration delay, Event event) override {
    time_.After(delay, [this, life = std::weak_ptr<void>(life_),
                        event = std::move(event)]() mutable {
      if (!life.expired()) Happen(std::move(event));
    });
  }
  void Kill() { life_.reset(); }
  void Freeze() { frozen_ = true; }
  void Thaw() {
    frozen_ = false;
    for (auto held = std::exchange(held_, {}); Event & event : held) {
      Happen(std::move(event));
    }
  }
  bool alive() const { return life_ != nullptr; }
  const std::string& name() const { return name_; }

  virtual WorkerInfo Info() const = 0;
  virtual void LinkUp(LinkId id, const WorkerInfo& peer,
                      std::shared_ptr<Link> link) = 0;
  virtual void LinkFrame(LinkId id, Frame frame) = 0;
  virtual void LinkDown(LinkId id) = 0;
  virtual void Tick() = 0;
  // Does the work of the core that does not wait.
  virtual void Work() = 0;

 private:
  void Happen(Event event) {
    if (frozen_) {
      held_.push_back(std::move(event));
      return;
    }
    event();
    if (alive()) Work();
  }

  const std::string name_;
  VirtualTime& time_;
  std::shared_ptr<void> life_ = std::make_shared<int>();
  bool frozen_ = false;
  std::vector<Event> held_;
};

struct TimedCluster::DenseNode final : Node {
  DenseNode(std::string name, const Options& options, VirtualTime& time)
      : Node(name, time),
        routing(Config(), LanguageLabels(FamilyTable::Paper()), time) {
    DenseCore::Options core_options = options.dense;
    core_options.name = std::move(name);
    core = std::make_unique<DenseCore>(
        core_options,
        std::make_unique<TimedDenseStage>(Config(), options.blocks,
                                          options.dense_cost, *this),
        routing, time);
  }
  WorkerInfo Info() const override {
    WorkerInfo info;
    info.role = WorkerRole::kDense;
    info.name = name();
    return info;
  }
  void LinkUp(LinkId id, const WorkerInfo& peer,
              std::shared_ptr<Link> link) override {
    core->LinkUp(id, peer, std::move(link));
  }
  void LinkFrame(LinkId id, Frame frame) override {
    core->LinkFrame(id, std::move(frame));
  }
  void LinkDown(LinkId id) override { core->LinkDown(id); }
  void Tick() override { core->Tick(Now()); }
  void Work() override {
    while (core->HasWork()) core->Advance();
  }

  RoutingLog routing;
  std::unique_ptr<DenseCore> core;
};

struct TimedCluster::ExpertNode final : Node {
  ExpertNode(std::string name, const LayerExperts& experts,
             const Options& options, VirtualTime& time)
      : Node(name, time) {
    ExpertCore::Options core_options = options.expert;
    core_options.self.role = WorkerRole::kExpert;
    core_options.self.name = std::move(name);
    core_options.residence.bytes = [](LayerExpert) { return kExpertBytes; };
    core_options.residence.load =
        [this, takes = options.load_time](LayerExpert which) {
          After(takes, [this, which] {
            core->Loaded(which, std::make_unique<TimedWeights>());
          });
        };
    auto timed = std::make_unique<TimedExpertStage>(
        Config(), experts, options.blocks, options.expert_cost, *this);
    stage = timed.get();
    self = core_options.self;
    core = std::make_unique<ExpertCore>(core_options, std::move(timed), time);
  }
  WorkerInfo Info() const override { return self; }
  void LinkUp(LinkId id, const WorkerInfo& peer,
              std::shared_ptr<Link> link) override {
    core->LinkUp(id, peer, std::move(link));
  }
  void LinkFrame(LinkId id, Frame frame) override {
    core->LinkFrame(id, std::move(frame));
  }
  void LinkDown(LinkId id) override { core->LinkDown(id); }
  void Tick() override { core->Tick(Now()); }
  void Work() override {
    while (core->HasWork()) core->Advance();
  }

  WorkerInfo self;
  TimedExpertStage* stage = nullptr;  // Owned by the core.
  std::unique_ptr<ExpertCore> core;
};

// Both directions of a link.
class TimedCluster::Connection {
 public:
  struct End {
    Node* node = nullptr;
    LinkId id = 0;
  };
  Connection(End a, End b, const Options& options)
      : ends_{a, b}, options_(options) {}

  bool Joins(const Node& node) const {
    return ends_[0].node == &node || ends_[1].node == &node;
  }
  // Frames keep their order: a delay only becomes longer.
  void SlowDown(absl::Duration delay) { delay_ = delay; }
  void Send(int to, Frame frame) {
    if (closed_) return;
    End& end = ends_[to];
    end.node->After(options_.latency + delay_,
                    [this, &end, frame = std::move(frame)]() mutable {
                      if (!closed_) {
                        end.node->LinkFrame(end.id, std::move(frame));
                      }
                    });
  }
  // Nothing is delivered any more, and nobody notices.
  void Cut() { closed_ = true; }
  // Both sides notice it after a delay.
  void Close() {
    if (std::exchange(closed_, true)) return;
    for (End& end : ends_) {
      end.node->After(options_.detection,
                      [&end] { end.node->LinkDown(end.id); });
    }
  }

 private:
  End ends_[2];
  const Options& options_;
  absl::Duration delay_;
  bool closed_ = false;
};

class TimedCluster::TimedLink final : public Link {
 public:
  TimedLink(std::shared_ptr<Connection> connection, int to)
      : connection_(std::move(connection)), to_(to) {}
  void Send(Frame frame) override { connection_->Send(to_, std::move(frame)); }
  void Close() override { connection_->Close(); }

 private:
  const std::shared_ptr<Connection> connection_;
  const int to_;
};

const ModelConfig& TimedCluster::Config() {
  static const ModelConfig* const config = [] {
    auto* c = new ModelConfig;
    c->hidden_size = 2;
    c->num_layers = 4;
    c->boundary = 2;
    c->num_experts = 7;
    c->experts_per_token = 2;
    c->vocab_size = 260;
    c->max_context = 4096;
    c->eos_tokens = {257};
    return c;
  }();
  return *config;
}

TimedCluster::TimedCluster(Options options, VirtualTime& time)
    : options_(std::move(options)), time_(time) {
  for (int d = 0; d < options_.dense_workers; ++d) {
    dense_.push_back(
        std::make_unique<DenseNode>("d" + std::to_string(d), options_, time_));
  }
  for (std::size_t e = 0; e < options_.experts.size(); ++e) {
    expert_.push_back(std::make_unique<ExpertNode>(
        "e" + std::to_string(e), options_.experts[e], options_, time_));
  }
  for (std::size_t e = 0; e < expert_.size(); ++e) {
    for (const auto& dense : dense_) Join(*dense, *expert_[e]);
    for (std::size_t peer = 0; peer < e; ++peer) {
      Join(*expert_[peer], *expert_[e]);
    }
  }
  for (const auto& node : dense_) TickLater(*node);
  for (const auto& node : expert_) TickLater(*node);
  // Workers get to know each other.
  time_.RunUntil(time_.Now() + absl::Seconds(1));
}

TimedCluster::~TimedCluster() {
  // Cores send frames when they end.
  for (const auto& connection : connections_) connection->Cut();
  for (const auto& node : dense_) node->Kill();
  for (const auto& node : expert_) node->Kill();
}

void TimedCluster::TickLater(Node& node) {
  node.After(kTick, [this, &node] {
    node.Tick();
    TickLater(node);
  });
}

void TimedCluster::Join(Node& from, Node& to) {
  const Connection::End ends[] = {{&from, next_++}, {&to, next_++}};
  auto connection = std::make_shared<Connection>(ends[0], ends[1], options_);
  connections_.push_back(connection);
  for (const int i : {0, 1}) {
    Node& other = *ends[1 - i].node;
    ends[i].node->LinkUp(ends[i].id, other.Info(),
                         std::make_shared<TimedLink>(connection, 1 - i));
  }
}

std::shared_ptr<TimedSink> TimedCluster::Submit(int dense,
                                                GenerationRequest request) {
  auto sink = std::make_shared<TimedSink>(time_);
  DenseNode& node = *dense_.at(Index(dense));
  node.After(absl::ZeroDuration(),
             [this, &node, sink, request = std::move(request)]() mutable {
               node.core->Submit(next_++, std::move(request), sink);
             });
  return sink;
}

void TimedCluster::KillExpert(int index) {
  ExpertNode& node = *expert_.at(Index(index));
  node.Kill();
  for (const auto& connection : connections_) {
    if (connection->Joins(node)) connection->Close();
  }
}

void TimedCluster::FreezeExpert(int index) {
  expert_.at(Index(index))->Freeze();
}

void TimedCluster::ThawExpert(int index) { expert_.at(Index(index))->Thaw(); }

void TimedCluster::SlowDown(const Node& from, const Node& to,
                            absl::Duration delay) {
  for (const auto& connection : connections_) {
    if (connection->Joins(from) && connection->Joins(to)) {
      connection->SlowDown(delay);
    }
  }
}

void TimedCluster::SlowDown(int dense, int expert, absl::Duration delay) {
  SlowDown(*dense_.at(Index(dense)), *expert_.at(Index(expert)), delay);
}

void TimedCluster::SlowDownPeers(int expert, int peer, absl::Duration delay) {
  SlowDown(*expert_.at(Index(expert)), *expert_.at(Index(peer)), delay);
}

DenseCore& TimedCluster::dense(int index) {
  return *dense_.at(Index(index))->core;
}

ExpertCore& TimedCluster::expert(int index) {
  return *expert_.at(Index(index))->core;
}

int TimedCluster::Holders(int expert) const {
  return static_cast<int>(
      std::count_if(expert_.begin(), expert_.end(), [&](const auto& node) {
        return node->core->resident().everywhere.contains(expert);
      }));
}

absl::Duration TimedCluster::Worked(int expert) const {
  return expert_.at(Index(expert))->stage->worked();
}

}  // namespace apollo
