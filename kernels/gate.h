#pragma once

namespace apollo {

// Expert selection of a sparse layer.
struct GateOptions {
  int experts = 0;         // Number of experts, at most 1024.
  int top_k = 0;           // 1..experts
  bool normalize = false;  // Divide the k weights by their sum.
};

// An expert chosen for a token, and the weight of its output.
struct ExpertChoice {
  int expert = 0;
  float weight = 0;
};

// Chooses the experts of one token from its gate logits [experts]:
//
// - p = softmax(logits).
// - The top_k largest p are chosen, in falling order; ties go to the lower
//   expert first.
// - If pinned >= 0 is not among them, it replaces the last.
// - weight = p, divided by the sum of the chosen p if normalize.
//
// This is the routing of Apollo-MoE (arXiv 2410.10626): pinned = -1 is plain
// top-k, and pinned = the expert of the language is hybrid-k. choices: [top_k].
// Returns true if pinned replaced another expert.
bool ChooseExperts(const float* logits, const GateOptions& options, int pinned,
                   ExpertChoice* choices);

}  // namespace apollo
