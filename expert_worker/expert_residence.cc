#include "expert_worker/expert_residence.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/check.h"
#include "common/log.h"

namespace apollo {
namespace {

// The pause before an expert of a placement that could not be loaded is tried
// again.
constexpr absl::Duration kRetry = absl::Seconds(30);

}  // namespace

ExpertResidence::ExpertResidence(Options options, ExpertStage& stage,
                                 ExpertCounters& counters, const Clock& clock)
    : options_(std::move(options)),
      stage_(stage),
      counters_(counters),
      clock_(clock),
      target_reason_(options_.first) {
  const ModelConfig& config = stage_.config();
  const absl::Duration now = clock_.Now();
  target_ = stage_.experts().Each(config.boundary, config.num_layers);
  for (const LayerExpert which : target_) {
    held_[which] = {options_.first, now, now};
  }
  stands_by_for_all_ = options_.load != nullptr && config.num_experts > 0;
  for (int layer = config.boundary;
       stands_by_for_all_ && layer < config.num_layers; ++layer) {
    for (int expert = 0; expert < config.num_experts; ++expert) {
      stands_by_for_all_ &= BytesOf({layer, expert}) <= options_.standby_bytes;
    }
  }
  Publish();
}

std::optional<std::int64_t> ExpertResidence::BytesToLoad(
    LayerExpert which) const {
  if (held_.contains(which)) return 0;
  if (options_.load == nullptr) return std::nullopt;
  std::int64_t bytes = BytesOf(which);
  if (bytes > options_.standby_bytes) return std::nullopt;
  // At most: nobody knows how much of it has come.
  if (loading_ && loading_->which == which) return bytes;
  for (const LayerExpert other : wanted_) {
    if (other == which) break;
    bytes += BytesOf(other);
  }
  return bytes;
}

void ExpertResidence::Want(LayerExpert which) {
  if (held_.contains(which)) return;
  APOLLO_CHECK(BytesToLoad(which).has_value());
  if (std::find(wanted_.begin(), wanted_.end(), which) == wanted_.end()) {
    wanted_.push_back(which);
  }
}

void ExpertResidence::Used(LayerExpert which) {
  const auto it = held_.find(which);
  if (it != held_.end()) it->second.used = clock_.Now();
}

void ExpertResidence::Place(std::set<LayerExpert> target, ExpertHold reason) {
  if (options_.load == nullptr) return;
  target_ = std::move(target);
  target_reason_ = reason;
  if (reason != ExpertHold::kAuto) retry_at_.clear();
  for (auto& [which, held] : held_) {
    if (target_.contains(which) && held.hold != ExpertHold::kStandby) {
      held.hold = reason;
    }
  }
  Publish();
}

bool ExpertResidence::IsResident(LayerExpert which) const {
  const auto it = held_.find(which);
  return it != held_.end() && it->second.hold != ExpertHold::kStandby;
}

bool ExpertResidence::RetriesLater() const {
  const std::set<LayerExpert> failed = FailedLately();
  return std::any_of(failed.begin(), failed.end(), [this](LayerExpert which) {
    return target_.contains(which);
  });
}

std::set<LayerExpert> ExpertResidence::FailedLately() const {
  std::set<LayerExpert> failed;
  for (const auto& [which, retry] : retry_at_) {
    if (!held_.contains(which) && clock_.Now() < retry) failed.insert(which);
  }
  return failed;
}

bool ExpertResidence::Complete() const {
  return std::all_of(target_.begin(), target_.end(),
                     [this](LayerExpert which) { return IsResident(which); });
}

void ExpertResidence::Loaded(
    LayerExpert which, absl::StatusOr<std::unique_ptr<ExpertWeights>> weights) {
  APOLLO_CHECK(loading_ && loading_->which == which);
  const absl::Duration now = clock_.Now();
  counters_.load_seconds.Observe(absl::ToDoubleSeconds(now - loading_->begun));
  if (weights.ok()) {
    loading_->weights = *std::move(weights);
    ++counters_.expert_loads;
    counters_.expert_load_bytes += BytesOf(which);
    return;
  }
  LogError("expert_load_failed",
           {{"layer", which.layer},
            {"expert", which.expert},
            {"reason", std::string(weights.status().message())}});
  if (loading_->standby) standby_used_ -= BytesOf(which);
  loading_.reset();
  std::erase(wanted_, which);
  retry_at_[which] = now + kRetry;
  Publish();
}

std::optional<LayerExpert> ExpertResidence::LeastUsed(
    const Facts& facts) const {
  std::optional<LayerExpert> least;
  for (const auto& [which, held] : held_) {
    if (held.hold != ExpertHold::kStandby || target_.contains(which) ||
        facts.needed(which)) {
      continue;
    }
    if (!least || held.used < held_.at(*least).used) least = which;
  }
  return least;
}

ExpertResidence::Task ExpertResidence::NextLoad(const Facts& facts) const {
  if (!wanted_.empty()) {
    const LayerExpert which = wanted_.front();
    if (target_.contains(which) || FitsStandby(BytesOf(which))) {
      return {Action::kLoad, which};
    }
    const std::optional<LayerExpert> least = LeastUsed(facts);
    if (least) return {Action::kEvict, *least};
  }
  for (const LayerExpert which : target_) {
    if (held_.contains(which)) continue;
    const auto retry = retry_at_.find(which);
    if (retry != retry_at_.end() && clock_.Now() < retry->second) continue;
    return {Action::kLoad, which};
  }
  return {};
}

ExpertResidence::Task ExpertResidence::NextDrop(const Facts& facts) const {
  const bool complete = Complete();
  const absl::Duration now = clock_.Now();
  for (const auto& [which, held] : held_) {
    if (target_.contains(which) || facts.needed(which)) continue;
    if (held.hold == ExpertHold::kStandby) {
      if (now - held.used > options_.unused_for) return {Action::kEvict, which};
    } else if (complete && facts.dispensable(which)) {
      return {Action::kDrop, which};
    }
  }
  return {};
}

ExpertResidence::Task ExpertResidence::Next(const Facts& facts) const {
  if (options_.load == nullptr) return {};
  if (!moving_ && !loading_ && wanted_.empty() && standby_used_ == 0) return {};
  for (const LayerExpert which : target_) {
    const auto it = held_.find(which);
    if (it != held_.end() && it->second.hold == ExpertHold::kStandby) {
      return {Action::kKeep, which};
    }
  }
  if (loading_) {
    if (loading_->weights == nullptr) return NextDrop(facts);
    return {Action::kAdmit, loading_->which};
  }
  const Task load = NextLoad(facts);
  return load.action != Action::kNone ? load : NextDrop(facts);
}

bool ExpertResidence::HasWork(const Facts& facts) const {
  return Next(facts).action != Action::kNone;
}

std::optional<LayerExpert> ExpertResidence::Work(const Facts& facts) {
  const Task task = Next(facts);
  std::optional<LayerExpert> came;
  switch (task.action) {
    case Action::kNone:
      return came;
    case Action::kAdmit:
      if (Admit()) came = task.which;
      break;
    case Action::kKeep:
      held_[task.which] = {target_reason_, clock_.Now(), clock_.Now()};
      standby_used_ -= BytesOf(task.which);
      ++counters_.moves;
      break;
    case Action::kLoad:
      Begin(task.which);
      break;
    case Action::kDrop:
      Drop(task.which);
      break;
    case Action::kEvict:
      standby_used_ -= BytesOf(task.which);
      ++counters_.standby_evictions;
      Remove(task.which);
      break;
  }
  Publish();
  return came;
}

void ExpertResidence::Begin(LayerExpert which) {
  loading_ = Loading{which, !target_.contains(which), clock_.Now()};
  if (loading_->standby) standby_used_ += BytesOf(which);
  options_.load(which);
}

bool ExpertResidence::Admit() {
  Loading loading = *std::exchange(loading_, std::nullopt);
  const LayerExpert which = loading.which;
  const absl::Duration now = clock_.Now();
  ExpertHold hold = target_reason_;
  if (target_.contains(which)) {
    if (loading.standby) standby_used_ -= BytesOf(which);
    ++counters_.moves;
  } else {
    hold = ExpertHold::kStandby;
    if (!loading.standby) {
      // The placement has changed meanwhile. Rows that wait for the expert, if
      // any, will have it loaded again once there is room.
      if (!FitsStandby(BytesOf(which))) return false;
      standby_used_ += BytesOf(which);
    }
  }
  held_[which] = {hold, now, now};
  std::erase(wanted_, which);
  stage_.AddExpert(which, std::move(loading.weights));
  return true;
}

void ExpertResidence::Drop(LayerExpert which) {
  ++counters_.moves;
  if (!FitsStandby(BytesOf(which))) return Remove(which);
  standby_used_ += BytesOf(which);
  held_[which] = {ExpertHold::kStandby, clock_.Now(), clock_.Now()};
}

void ExpertResidence::Remove(LayerExpert which) {
  held_.erase(which);
  stage_.RemoveExpert(which);
}

void ExpertResidence::CountResident(const std::set<LayerExpert>& resident) {
  counters_.resident_experts = std::ssize(resident);
  const int experts =
      static_cast<int>(counters_.resident_layers.axis().values.size());
  for (int expert = 0; expert < experts; ++expert) {
    counters_.resident_layers[static_cast<std::size_t>(expert)] = std::count_if(
        resident.begin(), resident.end(),
        [expert](LayerExpert which) { return which.expert == expert; });
  }
}

void ExpertResidence::Publish() {
  const ModelConfig& config = stage_.config();
  std::set<LayerExpert> resident;
  for (const auto& [which, held] : held_) {
    if (held.hold != ExpertHold::kStandby) resident.insert(which);
  }
  CountResident(resident);
  counters_.standby_experts =
      static_cast<std::int64_t>(held_.size() - resident.size());
  counters_.standby_bytes = standby_used_;
  moving_ = resident != target_;
  resident_ = LayerExperts::Of(resident, config.boundary, config.num_layers);
}

}  // namespace apollo
