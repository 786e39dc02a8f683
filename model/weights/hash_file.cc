#include "model/weights/hash_file.h"

#include <absl/strings/str_cat.h>
#include <absl/time/time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <thread>

#include "common/clock.h"
#include "common/log.h"
#include "common/mapped_file.h"
#include "common/sha256.h"
#include "common/thread_pool.h"
#include "model/safetensors/reader.h"
#include "model/safetensors/tensor_view.h"
#include "model/weights/model_hash.h"

namespace apollo {
namespace {

constexpr char kVersion[] = "apollo-weights-hash 1\n";
constexpr std::size_t kDigits = 64;

// Returns the file content without the digest: the identity of each file, and
// the assignment of tensors to files in the index.
std::string Facts(const Checkpoint& checkpoint) {
  std::string facts = kVersion;
  for (const auto& file : checkpoint.files()) {
    const FileIdentity& id = file->identity();
    absl::StrAppend(
        &facts, std::filesystem::path(file->path()).filename().string(), " ",
        id.size, " ", id.inode, " ", id.modified, " ", id.changed, "\n");
  }
  std::string index;
  for (const std::string& name : checkpoint.names()) {
    const std::filesystem::path file = checkpoint.Find(name)->file;
    absl::StrAppend(&index, name, " ", file.filename().string(), "\n");
  }
  absl::StrAppend(&facts, "index ", Sha256Hex(index), "\n");
  return facts;
}

// Returns the digest that follows the facts, or an empty string if the facts
// differ.
std::string DigestIn(std::string_view text, std::string_view facts) {
  if (!text.starts_with(facts)) return "";
  text.remove_prefix(facts.size());
  const bool whole = text.size() == kDigits + 1 && text.back() == '\n' &&
                     text.find_first_not_of("0123456789abcdef") == kDigits;
  return whole ? std::string(text.substr(0, kDigits)) : "";
}

// Returns true if no file has been replaced or modified since it was opened.
bool Unchanged(const Checkpoint& checkpoint) {
  return std::ranges::all_of(checkpoint.files(), [](const auto& file) {
    const auto now = IdentityOf(file->path());
    return now.ok() && *now == file->identity();
  });
}

// Writes a temporary file and renames it, so that readers see all or nothing.
bool Write(const std::string& path, std::string_view text) {
  const std::string partial = absl::StrCat(path, ".partial-", getpid());
  std::ofstream file(partial, std::ios::binary);
  file << text;
  file.close();
  std::error_code error;
  if (file.good()) std::filesystem::rename(partial, path, error);
  const bool written = file.good() && !error;
  if (!written) std::filesystem::remove(partial, error);
  return written;
}

std::int64_t BytesOf(const Checkpoint& checkpoint) {
  std::int64_t bytes = 0;
  for (const std::string& name : checkpoint.names()) {
    bytes += std::ssize(checkpoint.Find(name)->data);
  }
  return bytes;
}

}  // namespace

std::string WeightsDigestOf(const Checkpoint& checkpoint,
                            std::int64_t kept_from) {
  const std::int64_t bytes = BytesOf(checkpoint);
  const bool kept = bytes >= kept_from;
  const std::string path = absl::StrCat(checkpoint.directory(), "/", kHashFile);
  const std::string facts = Facts(checkpoint);
  if (kept) {
    const auto text = ReadFile(path, facts.size() + kDigits + 1);
    if (text.ok()) {
      std::string digest = DigestIn(*text, facts);
      if (!digest.empty()) return digest;
    }
  }
  const absl::Duration begin = Clock::Real().Now();
  // Uses threads only if each has several pieces.
  const std::int64_t threads = std::clamp<std::int64_t>(
      bytes / (4 * static_cast<std::int64_t>(kHashPiece)), 1,
      std::max(1u, std::thread::hardware_concurrency()));
  ThreadPool pool(static_cast<int>(threads));
  std::string digest = WeightsDigest(checkpoint, pool);
  if (!kept || digest.empty()) return digest;
  const bool written =
      Unchanged(checkpoint) && Write(path, absl::StrCat(facts, digest, "\n"));
  LogInfo("weights_hashed",
          {{"megabytes", bytes >> 20},
           {"seconds", absl::ToDoubleSeconds(Clock::Real().Now() - begin)},
           {"kept", written}});
  return digest;
}

}  // namespace apollo
