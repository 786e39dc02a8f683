#include "tools/simulate/traffic.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace apollo::simulate {

Traffic::Traffic(const Scenario& scenario, EventQueue& events, Take take)
    : scenario_(scenario),
      events_(events),
      take_(std::move(take)),
      arrivals_(scenario.seed, 1),
      requests_(scenario.seed, 2),
      most_(0),
      shares_(scenario.traffic.languages.size()) {
  // An upper bound on Rate(): every surge that adds requests at once.
  double sum = 0;
  double most = 0;
  for (std::size_t l = 0; l < shares_.size(); ++l) {
    const double share = scenario.traffic.languages[l].share;
    double factor = 1;
    for (const Scenario::Surge& surge : scenario.traffic.surges) {
      if (surge.language == static_cast<int>(l)) {
        factor *= std::max(1.0, surge.factor);
      }
    }
    sum += share;
    most += share * factor;
  }
  most_ = scenario.traffic.requests_per_second * most / sum;
}

double Traffic::Rate() {
  const Scenario::Traffic& traffic = scenario_.traffic;
  const double now = ToSeconds(events_.now());
  double normal = 0;
  double sum = 0;
  for (std::size_t l = 0; l < shares_.size(); ++l) {
    shares_[l] = traffic.languages[l].share;
    normal += shares_[l];
    for (const Scenario::Surge& surge : traffic.surges) {
      if (surge.language == static_cast<int>(l) && now >= surge.from &&
          now < surge.to) {
        shares_[l] *= surge.factor;
      }
    }
    sum += shares_[l];
  }
  return traffic.requests_per_second * sum / normal;
}

void Traffic::Start() {
  for (int i = 0; i < scenario_.traffic.streams; ++i) Issue();
  if (most_ > 0) PlanArrival();
}

// Poisson arrivals of a changing rate by thinning (Lewis and Shedler, 1979).
void Traffic::PlanArrival() {
  events_.After(FromSeconds(arrivals_.Exponential(1 / most_)), [this] {
    if (arrivals_.Uniform() * most_ < Rate()) Issue();
    PlanArrival();
  });
}

void Traffic::Issue() {
  const Scenario::Traffic& traffic = scenario_.traffic;
  Rate();
  Request request;
  request.id = next_id_++;
  request.language = static_cast<int>(requests_.Pick(shares_));
  request.family = traffic.languages[request.language].family;
  request.prompt = requests_.Between(traffic.prompt_least, traffic.prompt_most);
  request.answer = requests_.Between(traffic.answer_least, traffic.answer_most);
  request.arrived = events_.now();
  take_(request);
}

void Traffic::Ended() {
  if (scenario_.traffic.repeat) Issue();
}

}  // namespace apollo::simulate
