#include "tools/upcycle/gate_from_texts.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <memory>
#include <span>
#include <utility>

#include "common/status_macros.h"
#include "common/thread_pool.h"
#include "model/tokenizer/tokenizer.h"
#include "model/weights/open_model.h"
#include "tools/upcycle/affinity_gate.h"
#include "tools/upcycle/family_texts.h"

namespace apollo {
namespace {

std::string Line(int layer, const Family& family, const FamilyShare& share) {
  const double tokens = static_cast<double>(share.tokens);
  return absl::StrFormat(
      "gate of layer %d, family %d (%s): its expert is first for %.1f%% and "
      "chosen for %.1f%% of %d tokens",
      layer, family.expert, family.name,
      100 * static_cast<double>(share.first) / tokens,
      100 * static_cast<double>(share.chosen) / tokens, share.tokens);
}

}  // namespace

absl::StatusOr<Gates> GatesFromStates(const GateStates& states,
                                      const ModelConfig& config,
                                      double margin) {
  Gates gates;
  for (int layer = config.boundary; layer < config.num_layers; ++layer) {
    StateSums sums(config.hidden_size, states.states());
    RETURN_IF_ERROR(
        states.RunTo(layer, gates,
                     [&sums](int family, std::span<const float> state,
                             std::span<const ExpertChoice> /*choices*/) {
                       sums.Add(family, state);
                     }));
    ASSIGN_OR_RETURN(gates[layer], MakeAffinityGate(sums, margin));
  }
  return gates;
}

absl::StatusOr<std::vector<FamilyShare>> SharesOf(const GateStates& states,
                                                  int layer,
                                                  const Gates& gates) {
  std::vector<FamilyShare> shares(states.states().size());
  RETURN_IF_ERROR(
      states.RunTo(layer, gates,
                   [&shares](int family, std::span<const float> /*state*/,
                             std::span<const ExpertChoice> choices) {
                     FamilyShare& share = shares[family];
                     ++share.tokens;
                     share.first += choices.front().expert == family;
                     for (const ExpertChoice& choice : choices) {
                       share.chosen += choice.expert == family;
                     }
                   }));
  return shares;
}

absl::StatusOr<Gates> GatesFromTexts(
    const std::string& directory, const FamilyTable& families,
    const GateTexts& texts, double margin, int threads,
    const std::function<void(const std::string&)>& progress) {
  ASSIGN_OR_RETURN(const FamilyTexts made_from,
                   ReadFamilyTexts(texts.made_from, families));
  FamilyTexts checked_with;
  if (!texts.checked_with.empty()) {
    ASSIGN_OR_RETURN(checked_with,
                     ReadFamilyTexts(texts.checked_with, families));
  }
  ThreadPool pool(threads);
  ASSIGN_OR_RETURN(const OpenModel model, OpenModelDirectory(directory));
  ASSIGN_OR_RETURN(const std::unique_ptr<const Tokenizer> tokenizer,
                   Tokenizer::Load(directory + "/tokenizer.json"));
  progress("running the dense layers on the texts of " + texts.made_from);
  ASSIGN_OR_RETURN(std::unique_ptr<GateStates> states,
                   GateStates::Create(model, *tokenizer, made_from, pool));
  progress("making the gates");
  ASSIGN_OR_RETURN(Gates gates, GatesFromStates(*states, model.config, margin));
  if (!checked_with.empty()) {
    progress("checking the gates with the texts of " + texts.checked_with);
    ASSIGN_OR_RETURN(states,
                     GateStates::Create(model, *tokenizer, checked_with, pool));
  }
  for (const auto& [layer, gate] : gates) {
    ASSIGN_OR_RETURN(const std::vector<FamilyShare> shares,
                     SharesOf(*states, layer, gates));
    for (const Family& family : families.families()) {
      progress(Line(layer, family, shares[family.expert]));
    }
  }
  return gates;
}

}  // namespace apollo
