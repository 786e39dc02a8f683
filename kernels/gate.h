#pragma once

namespace apollo {

// How one sparse layer chooses experts.
struct GateOptions {
  int experts = 0;         // Number of experts, at most 1024.
  int top_k = 0;           // 1..experts
  bool normalize = false;  // Divide the k weights by their sum.
};

// One expert of a token, with the weight of its output.
struct ExpertChoice {
  int expert = 0;
  float weight = 0;
};

// Chooses the experts of one token from its gate logits  // [experts]
//   p = softmax(logits); the top_k largest p in falling order (of equal ones
//   the lower expert first); if pinned >= 0 is not among them it replaces the
//   last; weight = p, divided by the sum of the chosen ones if normalize.
// That is the routing of Apollo-MoE (arXiv 2410.10626): pinned = -1 is plain
// top-k, pinned = the language's expert is hybrid-k. choices: [top_k]. Returns
// whether pinned replaced an expert.
bool ChooseExperts(const float* logits, const GateOptions& options, int pinned,
                   ExpertChoice* choices);

}  // namespace apollo
