#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <optional>
#include <string>

namespace apollo {

// The chat template of a model and the texts of its special tokens, as they are
// in the files of its directory.
struct TemplateSource {
  std::string text;  // Jinja.
  std::string file;  // Path of the file that has it.
  // "bos_token", "eos_token", "pad_token" and so on, as far as they are set.
  std::map<std::string, std::string> special_tokens;
};

// Finds the template of a model directory: chat_template.jinja; else
// "chat_template" of tokenizer_config.json, which is a text, or a list of named
// ones, of which "default" counts; else "chat_template" of chat_template.json.
// Returns nothing if there is none, INVALID_ARGUMENT naming file and field, or
// the error of a file that is there and cannot be read.
absl::StatusOr<std::optional<TemplateSource>> FindChatTemplate(
    const std::string& directory);

// Reads a template from a file of its own, with the special tokens of the model
// directory. Returns NOT_FOUND, PERMISSION_DENIED or INVALID_ARGUMENT, naming
// the file.
absl::StatusOr<TemplateSource> ReadChatTemplate(const std::string& file,
                                                const std::string& directory);

}  // namespace apollo
