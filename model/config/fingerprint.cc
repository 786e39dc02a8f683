#include "model/config/fingerprint.h"

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
  const auto differ = [](const std::string& a, const std::string& b) {
    return !a.empty() && !b.empty() && a != b;
  };
  if (differ(own.config, other.config)) return "config.json differs";
  if (differ(own.tokenizer, other.tokenizer)) {
    return "tokenizer.json differs";
  }
  return "";
}

}  // namespace apollo
