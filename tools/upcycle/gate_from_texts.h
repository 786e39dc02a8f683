#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <string>
#include <vector>

#include "model/language/families.h"
#include "tools/upcycle/gate_override.h"
#include "tools/upcycle/gate_states.h"

namespace apollo {

// The tokens of one family's texts, and those of them for which the expert of
// the family is the gate's first choice, or among its first k.
struct FamilyShare {
  std::int64_t tokens = 0;
  std::int64_t first = 0;
  std::int64_t chosen = 0;
};

// Returns gates for all sparse layers, made of the states of the texts at the
// input of each gate (affinity_gate.h). The gates of earlier layers are in
// place when those of later ones are made. This shows the affinity of languages
// to experts; it is no training: the experts are what they were.
absl::StatusOr<Gates> GatesFromStates(const GateStates& states,
                                      const ModelConfig& config, double margin);

// Counts the choices of the gates of one layer.  // [families]
absl::StatusOr<std::vector<FamilyShare>> SharesOf(const GateStates& states,
                                                  int layer,
                                                  const Gates& gates);

// The files of --gate_from_texts and --gate_check_texts.
struct GateTexts {
  std::string made_from;
  std::string checked_with;  // Empty: none.
};

// Opens the upcycled model in `directory` and returns gates for it. Reports the
// shares of each layer to `progress`, line by line: of the texts for checking
// if there are any, else of those that the gates were made from. Errors name
// the file or the family.
absl::StatusOr<Gates> GatesFromTexts(
    const std::string& directory, const FamilyTable& families,
    const GateTexts& texts, double margin, int threads,
    const std::function<void(const std::string&)>& progress);

}  // namespace apollo
