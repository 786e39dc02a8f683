#include "model/weights/model_hash.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "common/mapped_file.h"
#include "common/sha256.h"
#include "common/stop_request.h"
#include "common/strings.h"
#include "model/config/config_facts.h"
#include "model/safetensors/tensor_view.h"

namespace apollo {
namespace {

std::string SumOf(std::span<const std::uint8_t> piece) {
  PopulatePages(piece);
  std::string sum =
      Sha256Hex({reinterpret_cast<const char*>(piece.data()), piece.size()});
  ReleasePages(piece);
  return sum;
}

}  // namespace

std::string WeightsDigest(const Checkpoint& checkpoint, ThreadPool& pool) {
  const std::vector<std::string> names = checkpoint.names();
  std::vector<std::span<const std::uint8_t>> pieces;
  for (const std::string& name : names) {
    const std::span<const std::uint8_t> data = checkpoint.Find(name)->data;
    for (std::size_t at = 0; at < data.size(); at += kHashPiece) {
      pieces.push_back(
          data.subspan(at, std::min(kHashPiece, data.size() - at)));
    }
  }
  std::vector<std::string> sums(pieces.size());
  pool.ParallelFor(std::ssize(pieces), 1,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i) {
                       if (StopRequested()) return;
                       sums[i] = SumOf(pieces[i]);
                     }
                   });
  if (StopRequested()) return "";
  // The facts of each tensor and the hashes of its pieces. The length of the
  // name precedes it, so that no name can imitate other data.
  std::string text;
  auto sum = sums.begin();
  for (const std::string& name : names) {
    const TensorView& tensor = *checkpoint.Find(name);
    absl::StrAppend(&text, name.size(), ":", name, " ", tensor.dtype_name, " ",
                    ShapeToString(tensor.shape));
    for (std::size_t at = 0; at < tensor.data.size(); at += kHashPiece) {
      absl::StrAppend(&text, " ", *sum++);
    }
    text += '\n';
  }
  return Sha256Hex(text);
}

std::string ModelHash(const ModelConfig& config,
                      std::string_view weights_digest) {
  return Sha256Hex(
             absl::StrCat(ConfigFacts(config), ";", ToAbsl(weights_digest)))
      .substr(0, 16);
}

}  // namespace apollo
