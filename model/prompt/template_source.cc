#include "model/prompt/template_source.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <cstddef>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/json.h"
#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "model/tokenizer/utf8.h"

namespace apollo {
namespace {

// Lists of special tokens make tokenizer_config.json long.
constexpr std::size_t kMaxFileBytes = std::size_t{64} << 20;

constexpr const char* kSpecialTokens[] = {"bos_token", "eos_token", "unk_token",
                                          "sep_token", "pad_token", "cls_token",
                                          "mask_token"};

template <typename... Parts>
absl::Status Error(const std::string& file, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", parts...));
}

// Returns nothing if the file does not exist.
absl::StatusOr<std::optional<std::string>> ReadIfThere(
    const std::string& file) {
  // A link to nothing, or a file that cannot be looked at, is there.
  std::error_code ignored;
  if (std::filesystem::symlink_status(file, ignored).type() ==
      std::filesystem::file_type::not_found) {
    return std::optional<std::string>();
  }
  ASSIGN_OR_RETURN(const MappedFile mapped, MappedFile::Open(file));
  const auto bytes = mapped.bytes();
  if (bytes.size() > kMaxFileBytes) {
    return Error(file, "has ", bytes.size(), " bytes; at most ", kMaxFileBytes,
                 " are accepted");
  }
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t valid = ValidUtf8Prefix(text);
  if (valid != text.size()) {
    return Error(file, "is not valid UTF-8 at byte ", valid);
  }
  return std::optional<std::string>(std::move(text));
}

absl::StatusOr<Json> ReadJsonIfThere(const std::string& file) {
  ASSIGN_OR_RETURN(const std::optional<std::string> text, ReadIfThere(file));
  if (!text) return Json::object();
  ASSIGN_OR_RETURN(Json json, ParseJson(*text, file));
  if (!json.is_object()) return Error(file, "is not a JSON object");
  return json;
}

// Reads "chat_template" of a JSON object.
absl::StatusOr<std::optional<std::string>> TemplateIn(const Json& json,
                                                      const std::string& file) {
  const auto found = json.find("chat_template");
  if (found == json.end() || found->is_null()) {
    return std::optional<std::string>();
  }
  if (found->is_string()) {
    return std::optional<std::string>(found->get<std::string>());
  }
  if (!found->is_array()) {
    return Error(file, "\"chat_template\" must be a string or a list");
  }
  std::optional<std::string> text;
  for (const Json& entry : *found) {
    if (!entry.is_object() || !entry.contains("name") ||
        !entry["name"].is_string() || !entry.contains("template") ||
        !entry["template"].is_string()) {
      return Error(file,
                   "each entry of \"chat_template\" must have a \"name\" and a "
                   "\"template\"");
    }
    if (entry["name"] == "default") text = entry["template"].get<std::string>();
  }
  if (!text) {
    return Error(file, "\"chat_template\" has no entry named \"default\"");
  }
  return text;
}

absl::StatusOr<std::map<std::string, std::string>> SpecialTokensIn(
    const Json& json, const std::string& file) {
  std::map<std::string, std::string> tokens;
  for (const char* name : kSpecialTokens) {
    const auto found = json.find(name);
    if (found == json.end() || found->is_null()) continue;
    const Json& text = found->is_object() && found->contains("content")
                           ? (*found)["content"]
                           : *found;
    if (!text.is_string()) {
      return Error(file, "\"", name,
                   "\" must be a string, or an object with a string "
                   "\"content\"");
    }
    tokens[name] = text.get<std::string>();
  }
  return tokens;
}

}  // namespace

absl::StatusOr<std::optional<TemplateSource>> FindChatTemplate(
    const std::string& directory) {
  const std::string config_file = directory + "/tokenizer_config.json";
  ASSIGN_OR_RETURN(const Json config, ReadJsonIfThere(config_file));
  TemplateSource source;
  ASSIGN_OR_RETURN(source.special_tokens, SpecialTokensIn(config, config_file));
  source.file = directory + "/chat_template.jinja";
  ASSIGN_OR_RETURN(std::optional<std::string> text, ReadIfThere(source.file));
  if (!text) {
    source.file = config_file;
    ASSIGN_OR_RETURN(text, TemplateIn(config, source.file));
  }
  if (!text) {
    source.file = directory + "/chat_template.json";
    ASSIGN_OR_RETURN(const Json json, ReadJsonIfThere(source.file));
    ASSIGN_OR_RETURN(text, TemplateIn(json, source.file));
  }
  if (!text) return std::optional<TemplateSource>();
  source.text = *std::move(text);
  return std::optional<TemplateSource>(std::move(source));
}

absl::StatusOr<TemplateSource> ReadChatTemplate(const std::string& file,
                                                const std::string& directory) {
  TemplateSource source;
  source.file = file;
  ASSIGN_OR_RETURN(std::optional<std::string> text, ReadIfThere(file));
  if (!text) return absl::NotFoundError(absl::StrCat(file, ": does not exist"));
  source.text = *std::move(text);
  const std::string config_file = directory + "/tokenizer_config.json";
  ASSIGN_OR_RETURN(const Json config, ReadJsonIfThere(config_file));
  ASSIGN_OR_RETURN(source.special_tokens, SpecialTokensIn(config, config_file));
  return source;
}

}  // namespace apollo
