#include "tools/upcycle/tokenizer_export.h"

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"
#include "tools/upcycle/pre_tokenizers.h"

namespace apollo {
namespace {

using OrderedJson = nlohmann::ordered_json;

// Token types of a GGUF file.
constexpr std::int64_t kNormal = 1;
constexpr std::int64_t kUnknown = 2;
constexpr std::int64_t kControl = 3;
constexpr std::int64_t kUserDefined = 4;
constexpr std::int64_t kUnused = 5;  // Fills up the vocabulary; never produced.
constexpr std::int64_t kByte = 6;

class Exporter {
 public:
  explicit Exporter(const GgufFile& file) : file_(file) {}

  absl::StatusOr<std::string> Export() {
    ASSIGN_OR_RETURN(const std::string_view model,
                     file_.GetString("tokenizer.ggml.model"));
    if (model != "gpt2") {
      return Error("tokenizer.ggml.model is \"", ToAbsl(model),
                   "\", not \"gpt2\" (byte-level BPE), the only supported "
                   "kind",
                   model == "llama" ? "; SentencePiece is not supported" : "");
    }
    ASSIGN_OR_RETURN(const std::string_view pre,
                     file_.GetString("tokenizer.ggml.pre"));
    const std::optional<PreTokenizer> cutter = FindPreTokenizer(pre);
    if (!cutter.has_value()) {
      return Error("tokenizer.ggml.pre is \"", ToAbsl(pre),
                   "\", which is none of ", KnownPreTokenizers());
    }
    OrderedJson json = {{"version", "1.0"},
                        {"truncation", nullptr},
                        {"padding", nullptr},
                        {"added_tokens", OrderedJson::array()},
                        {"normalizer", cutter->normalizer},
                        {"pre_tokenizer", cutter->pre_tokenizer},
                        {"post_processor", nullptr},
                        {"decoder",
                         {{"type", "ByteLevel"},
                          {"add_prefix_space", true},
                          {"trim_offsets", true},
                          {"use_regex", true}}},
                        {"model",
                         {{"type", "BPE"},
                          {"dropout", nullptr},
                          {"unk_token", nullptr},
                          {"continuing_subword_prefix", nullptr},
                          {"end_of_word_suffix", nullptr},
                          {"fuse_unk", false},
                          {"byte_fallback", false},
                          {"ignore_merges", cutter->ignore_merges},
                          {"vocab", OrderedJson::object()},
                          {"merges", OrderedJson::array()}}}};
    RETURN_IF_ERROR(AddTokens(json));
    RETURN_IF_ERROR(AddMerges(json["model"]["merges"]));
    RETURN_IF_ERROR(AddFirstToken(*cutter, json));
    try {
      return json.dump(1);
    } catch (const nlohmann::json::exception&) {
      return Error("a token is not UTF-8");
    }
  }

 private:
  template <typename... Parts>
  absl::Status Error(const Parts&... parts) const {
    return absl::InvalidArgumentError(
        absl::StrCat(file_.path(), ": ", parts...));
  }

  absl::Status AddTokens(OrderedJson& json) {
    ASSIGN_OR_RETURN(tokens_, file_.GetStrings("tokenizer.ggml.tokens"));
    ASSIGN_OR_RETURN(const std::vector<std::int64_t> types,
                     file_.GetInts("tokenizer.ggml.token_type"));
    if (types.size() != tokens_.size()) {
      return Error("tokenizer.ggml.token_type has ", types.size(),
                   " entries, tokenizer.ggml.tokens ", tokens_.size());
    }
    // Appends directly to the underlying vector: an ordered object would search
    // linearly for an equal key, and the table below has done that already.
    auto& vocab = json["model"]["vocab"].get_ref<OrderedJson::object_t&>();
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (types[id] == kUnused) continue;
      if (types[id] == kByte) {
        return Error("tokenizer.ggml.token_type ", id, " is ", types[id],
                     " (byte), which byte-level BPE does not have");
      }
      if (types[id] < kNormal || types[id] > kByte) {
        return Error("tokenizer.ggml.token_type ", id, " is ", types[id],
                     "; 1 to 5 are valid");
      }
      if (!ids_.emplace(ToAbsl(tokens_[id]), id).second) {
        return Error("tokenizer.ggml.tokens ", id, " occurs twice");
      }
      const std::string text(tokens_[id]);
      vocab
          .std::vector<std::pair<const std::string, OrderedJson>>::emplace_back(
              text, id);
      const bool special = types[id] == kControl || types[id] == kUnknown;
      if (!special && types[id] != kUserDefined) continue;
      json["added_tokens"].push_back({{"id", id},
                                      {"content", text},
                                      {"single_word", false},
                                      {"lstrip", false},
                                      {"rstrip", false},
                                      {"normalized", false},
                                      {"special", special}});
    }
    return absl::OkStatus();
  }

  // A merge is two tokens separated by a space; byte-level tokens contain none.
  absl::Status AddMerges(OrderedJson& merges) const {
    ASSIGN_OR_RETURN(const std::vector<std::string_view> pairs,
                     file_.GetStrings("tokenizer.ggml.merges"));
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const std::size_t space = pairs[i].find(' ');
      if (space == std::string_view::npos ||
          pairs[i].find(' ', space + 1) != std::string_view::npos) {
        return Error("tokenizer.ggml.merges ", i,
                     " is not two tokens separated by a space");
      }
      const absl::string_view left = ToAbsl(pairs[i].substr(0, space));
      const absl::string_view right = ToAbsl(pairs[i].substr(space + 1));
      if (!ids_.contains(left) || !ids_.contains(right) ||
          !ids_.contains(absl::StrCat(left, right))) {
        return Error("tokenizer.ggml.merges ", i,
                     " has a part or a result that is not a token");
      }
      merges.push_back(std::string(pairs[i]));
    }
    return absl::OkStatus();
  }

  absl::Status AddFirstToken(const PreTokenizer& cutter,
                             OrderedJson& json) const {
    bool wanted = cutter.adds_first_token;
    if (const char* key = "tokenizer.ggml.add_bos_token"; file_.Has(key)) {
      ASSIGN_OR_RETURN(wanted, file_.GetBool(key));
    }
    if (!wanted) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::int64_t id,
                     file_.GetInt("tokenizer.ggml.bos_token_id"));
    if (id < 0 || static_cast<std::size_t>(id) >= tokens_.size()) {
      return Error("tokenizer.ggml.bos_token_id ", id, " is not a token");
    }
    const std::string text(tokens_[static_cast<std::size_t>(id)]);
    const OrderedJson first = {
        {"SpecialToken", {{"id", text}, {"type_id", 0}}}};
    const auto sequence = [](const char* name) -> OrderedJson {
      return {{"Sequence", {{"id", name}, {"type_id", 0}}}};
    };
    json["post_processor"] = {
        {"type", "TemplateProcessing"},
        {"single", OrderedJson::array({first, sequence("A")})},
        {"pair",
         OrderedJson::array({first, sequence("A"), first, sequence("B")})},
        {"special_tokens",
         {{text,
           {{"id", text},
            {"ids", OrderedJson::array({id})},
            {"tokens", OrderedJson::array({text})}}}}}};
    return absl::OkStatus();
  }

  const GgufFile& file_;
  std::vector<std::string_view> tokens_;  // By id; points into the file.
  absl::flat_hash_map<std::string, std::size_t> ids_;
};

}  // namespace

absl::StatusOr<std::string> ExportTokenizer(const GgufFile& file) {
  return Exporter(file).Export();
}

}  // namespace apollo
