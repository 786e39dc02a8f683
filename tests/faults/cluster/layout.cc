#include "tests/faults/cluster/layout.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

namespace apollo {

std::string NameOf(ProcessKind kind, int index) {
  switch (kind) {
    case ProcessKind::kExpertWorker:
      return absl::StrCat("expert-worker-", index);
    case ProcessKind::kDenseWorker:
      return absl::StrCat("dense-worker-", index);
    case ProcessKind::kRouter:
      break;
  }
  return index == 0 ? "router" : absl::StrCat("router-", index);
}

std::vector<std::string> NamesOf(const Layout& layout, ProcessKind kind) {
  int count = layout.routers;
  if (kind == ProcessKind::kDenseWorker) count = layout.dense_workers;
  if (kind == ProcessKind::kExpertWorker) {
    count = static_cast<int>(layout.experts.size());
  }
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(NameOf(kind, i));
  return names;
}

std::vector<std::string> NamesOf(const Layout& layout) {
  std::vector<std::string> names;
  for (const ProcessKind kind :
       {ProcessKind::kExpertWorker, ProcessKind::kDenseWorker,
        ProcessKind::kRouter}) {
    for (std::string& name : NamesOf(layout, kind)) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

ProcessKind KindOf(const std::string& name) {
  if (absl::StartsWith(name, "expert")) return ProcessKind::kExpertWorker;
  if (absl::StartsWith(name, "dense")) return ProcessKind::kDenseWorker;
  return ProcessKind::kRouter;
}

bool Dials(const std::string& from, const std::string& to) {
  switch (KindOf(from)) {
    case ProcessKind::kRouter:
      return KindOf(to) == ProcessKind::kDenseWorker;
    case ProcessKind::kDenseWorker:
      return KindOf(to) == ProcessKind::kExpertWorker;
    case ProcessKind::kExpertWorker:
      return KindOf(to) == ProcessKind::kExpertWorker && from != to;
  }
  return false;
}

std::vector<std::string> SpreadExperts(int experts, int workers, int holders) {
  std::vector<std::string> flags;
  for (int w = 0; w < workers; ++w) {
    std::string list;
    for (int e = 0; e < experts; ++e) {
      // Expert e is on worker e modulo `workers` and on those that follow.
      if ((w - e % workers + workers) % workers >= holders) continue;
      absl::StrAppend(&list, list.empty() ? "" : ",", e);
    }
    flags.push_back("--experts=" + list);
  }
  return flags;
}

}  // namespace apollo
