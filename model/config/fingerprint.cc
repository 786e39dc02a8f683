#include "model/config/fingerprint.h"

#include <absl/strings/str_cat.h>

#include "common/mapped_file.h"
#include "common/sha256.h"
#include "model/config/config_facts.h"

namespace apollo {
namespace {

std::string Digest(std::string_view bytes) {
  return Sha256Hex(bytes).substr(0, 16);
}

}  // namespace

ModelFingerprint FingerprintOf(const ModelConfig& config,
                               const std::string& directory) {
  ModelFingerprint out;
  out.config = Digest(ConfigFacts(config));
  const auto file = MappedFile::Open(directory + "/tokenizer.json");
  if (file.ok()) {
    out.tokenizer = Digest({reinterpret_cast<const char*>(file->bytes().data()),
                            file->bytes().size()});
  }
  return out;
}

std::string Difference(const ModelFingerprint& own,
                       const ModelFingerprint& other) {
  const auto compare = [](const char* file, const std::string& own,
                          const std::string& other) {
    if (own.empty() || other.empty() || own == other) return std::string();
    return absl::StrCat(file, " differs: its hash is ", other, ", not ", own);
  };
  const std::string difference =
      compare("config.json", own.config, other.config);
  if (!difference.empty()) {
    return absl::StrCat(difference, " (of its numbers, with the ends that ",
                        kGenerationFile, " adds)");
  }
  return compare("tokenizer.json", own.tokenizer, other.tokenizer);
}

}  // namespace apollo
