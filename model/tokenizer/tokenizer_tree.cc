#include "model/tokenizer/tokenizer_tree.h"

#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <limits>

#include "common/strings.h"

namespace apollo {
namespace {

// Receives the parser's events. Each value goes to the tree, the vocabulary or
// the merges.
class Reader final : public nlohmann::json_sax<Json> {
 public:
  TokenizerTree tree;
  bool too_deep = false;
  bool duplicate = false;

  bool null() override { return Value(Json()); }
  bool boolean(bool value) override { return Value(value); }
  bool number_integer(number_integer_t value) override { return Number(value); }
  bool number_unsigned(number_unsigned_t value) override {
    return Number(value);
  }
  bool number_float(number_float_t value, const string_t&) override {
    return Value(value);
  }
  bool binary(binary_t&) override { return false; }

  bool string(string_t& value) override {
    if (part_ == Part::kMerges) {
      if (depth_ == part_depth_) {
        AddMerge(value);
      } else if (depth_ == part_depth_ + 1) {
        sides_.push_back(std::move(value));
      } else {
        BadMerge();
      }
      return true;
    }
    return Value(std::move(value));
  }

  bool key(string_t& value) override {
    if (part_ == Part::kTree) {
      if (!keys_.back().insert(value).second) duplicate = true;
      key_ = std::move(value);
    } else if (part_ == Part::kVocab && depth_ == part_depth_) {
      key_ = std::move(value);
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (!Enter(Json::value_t::object, "vocab", Part::kVocab)) return false;
    if (part_ == Part::kTree) keys_.emplace_back();
    return true;
  }
  bool end_object() override {
    if (part_ == Part::kTree) keys_.pop_back();
    return Leave();
  }
  bool start_array(std::size_t) override {
    const bool in_merges = part_ == Part::kMerges;
    if (!Enter(Json::value_t::array, "merges", Part::kMerges)) return false;
    if (in_merges) {
      sides_.clear();
      if (depth_ > part_depth_ + 1) BadMerge();
    }
    return true;
  }
  bool end_array() override {
    if (part_ == Part::kMerges && depth_ == part_depth_ + 1) AddPair();
    return Leave();
  }

  bool parse_error(std::size_t, const std::string&,
                   const Json::exception&) override {
    return false;
  }

 private:
  enum class Part { kTree, kVocab, kMerges };

  template <typename T>
  bool Number(T value) {
    if (part_ == Part::kVocab && depth_ == part_depth_) {
      const bool fits =
          value >= 0 && static_cast<std::uint64_t>(value) <=
                            std::uint64_t{std::numeric_limits<TokenId>::max()};
      tree.vocab.emplace_back(std::move(key_),
                              fits ? static_cast<TokenId>(value) : -1);
      return true;
    }
    return Value(value);
  }

  // A scalar value; inside the large parts, an invalid one.
  template <typename T>
  bool Value(T&& value) {
    if (part_ == Part::kTree) {
      Put(std::forward<T>(value));
    } else if (part_ == Part::kMerges) {
      BadMerge();
    } else if (depth_ == part_depth_) {
      tree.vocab.emplace_back(std::move(key_), -1);
    }
    return true;
  }

  Json* Put(Json value) {
    if (open_.empty()) {
      tree.json = std::move(value);
      return &tree.json;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) return &parent.emplace_back(std::move(value));
    return &(parent[key_] = std::move(value));
  }

  bool Enter(Json::value_t kind, std::string_view name, Part part) {
    if (++depth_ > JsonLimits().max_depth) {
      too_deep = true;
      return false;
    }
    if (part_ == Part::kVocab && depth_ == part_depth_ + 1) {
      tree.vocab.emplace_back(std::move(key_), -1);
    } else if (part_ == Part::kMerges && kind == Json::value_t::object) {
      BadMerge();
    }
    if (part_ != Part::kTree) return true;
    const bool in_model =
        open_.size() == 2 && open_[0]->is_object() && open_[1] == model_;
    const bool is_model =
        open_.size() == 1 && open_[0]->is_object() && key_ == "model";
    const bool is_part = in_model && model_->is_object() && key_ == name;
    Json* const place = Put(Json(kind));
    open_.push_back(place);
    if (is_model) model_ = place;
    // A second one is a duplicate key, which is an error anyway.
    if (is_part) {
      part_ = part;
      part_depth_ = depth_;
    }
    return true;
  }

  bool Leave() {
    if (part_ == Part::kTree || depth_ == part_depth_) {
      open_.pop_back();
      part_ = Part::kTree;
    }
    --depth_;
    return true;
  }

  void BadMerge() {
    if (!tree.bad_merge.has_value()) tree.bad_merge = merge_place_;
  }

  void AddMerge(std::string& text) {
    const std::size_t place = merge_place_;
    const std::size_t space = text.find(' ');
    // "#version" is left over from merges.txt. The `tokenizers` library skips
    // it.
    if (!text.starts_with("#version")) {
      if (space == text.npos || text.find(' ', space + 1) != text.npos) {
        BadMerge();
      } else if (!tree.bad_merge.has_value()) {
        tree.merges.push_back(
            {text.substr(0, space), text.substr(space + 1), place});
      }
    }
    ++merge_place_;
  }

  void AddPair() {
    if (sides_.size() != 2) BadMerge();
    if (!tree.bad_merge.has_value()) {
      tree.merges.push_back(
          {std::move(sides_[0]), std::move(sides_[1]), merge_place_});
    }
    ++merge_place_;
  }

  std::size_t depth_ = 0;
  Part part_ = Part::kTree;
  std::size_t part_depth_ = 0;  // Depth inside the large part.

  std::string key_;          // The most recent key.
  std::vector<Json*> open_;  // The open containers of the tree.
  const Json* model_ = nullptr;
  std::vector<absl::flat_hash_set<std::string>> keys_;  // Per open object.

  std::size_t merge_place_ = 0;
  std::vector<std::string> sides_;
};

}  // namespace

absl::StatusOr<TokenizerTree> ReadTokenizerTree(std::string_view text,
                                                std::string_view source) {
  Reader reader;
  bool good = false;
  try {
    good = Json::sax_parse(text, &reader);
  } catch (...) {
    // The library throws when memory runs out.
  }
  const auto error = [source](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(source), ": ", what));
  };
  if (reader.too_deep) {
    return error(
        absl::StrCat("JSON nested deeper than ", JsonLimits().max_depth));
  }
  if (!good) return error("malformed JSON");
  if (reader.duplicate) return error("duplicate key in a JSON object");
  return std::move(reader.tree);
}

}  // namespace apollo
