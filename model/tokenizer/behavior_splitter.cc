#include <memory>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "model/tokenizer/splitter.h"

namespace apollo {
namespace {

using Part = Splitter::Part;

class LiteralSplitter final : public Splitter {
 public:
  explicit LiteralSplitter(std::string_view text) : text_(text) {}

  absl::Status Split(std::string_view text,
                     std::vector<std::string_view>* pieces) const override {
    std::vector<Part> parts;
    RETURN_IF_ERROR(Match(text, &parts));
    for (const Part& part : parts) pieces->push_back(part.text);
    return absl::OkStatus();
  }

  absl::Status Match(std::string_view text,
                     std::vector<Part>* parts) const override {
    while (!text.empty()) {
      const std::size_t at = text.find(text_);
      if (at != 0) parts->push_back({text.substr(0, at), false});
      if (at == text.npos) break;
      parts->push_back({text.substr(at, text_.size()), true});
      text.remove_prefix(at + text_.size());
    }
    return absl::OkStatus();
  }

 private:
  const std::string text_;
};

// Returns one part of two adjacent ones.
std::string_view Joined(std::string_view left, std::string_view right) {
  return {left.data(), left.size() + right.size()};
}

class BehaviorSplitter final : public Splitter {
 public:
  BehaviorSplitter(std::unique_ptr<const Splitter> matches,
                   SplitBehavior behavior, bool invert)
      : matches_(std::move(matches)), behavior_(behavior), invert_(invert) {}

  absl::Status Split(std::string_view text,
                     std::vector<std::string_view>* pieces) const override {
    std::vector<Part> parts;
    RETURN_IF_ERROR(matches_->Match(text, &parts));
    for (Part& part : parts) part.match = part.match != invert_;
    Join(parts, pieces);
    return absl::OkStatus();
  }

 private:
  // A match joins the part beside it only if that is no match itself.
  void Join(const std::vector<Part>& parts,
            std::vector<std::string_view>* pieces) const {
    const std::size_t first = pieces->size();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const bool match = parts[i].match;
      const bool after_match = i > 0 && parts[i - 1].match;
      bool join = false;  // With the piece before.
      switch (behavior_) {
        case SplitBehavior::kIsolated:
          break;
        case SplitBehavior::kRemoved:
          if (match) continue;
          break;
        case SplitBehavior::kContiguous:
          join = match == after_match;
          break;
        case SplitBehavior::kMergedWithPrevious:
          join = match && !after_match;
          break;
        case SplitBehavior::kMergedWithNext:
          join = after_match && !match;
          break;
      }
      if (join && pieces->size() > first) {
        pieces->back() = Joined(pieces->back(), parts[i].text);
      } else {
        pieces->push_back(parts[i].text);
      }
    }
  }

  const std::unique_ptr<const Splitter> matches_;
  const SplitBehavior behavior_;
  const bool invert_;
};

}  // namespace

absl::Status Splitter::Match(std::string_view text,
                             std::vector<Part>* parts) const {
  std::vector<std::string_view> pieces;
  RETURN_IF_ERROR(Split(text, &pieces));
  for (const std::string_view piece : pieces) parts->push_back({piece, true});
  return absl::OkStatus();
}

std::unique_ptr<const Splitter> MakeLiteralSplitter(std::string_view text) {
  return std::make_unique<const LiteralSplitter>(text);
}

std::unique_ptr<const Splitter> MakeBehaviorSplitter(
    std::unique_ptr<const Splitter> matches, SplitBehavior behavior,
    bool invert) {
  if (behavior == SplitBehavior::kIsolated) return matches;
  return std::make_unique<const BehaviorSplitter>(std::move(matches), behavior,
                                                  invert);
}

}  // namespace apollo
