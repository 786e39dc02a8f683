#include "model/language/fasttext_file.h"

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <cstdint>
#include <cstring>

#include "common/status_macros.h"

namespace apollo {
namespace {

constexpr int32_t kMagic = 793712314;
constexpr int32_t kSupervised = 3;
constexpr int64_t kMaxLabels = 100'000;
constexpr int64_t kMaxDim = 10'000;
constexpr int64_t kCentroids = 256;
constexpr std::size_t kMaxWord = 1024;  // In bytes.
// The library stores a number for each n-gram of each word.
constexpr int64_t kMaxSubwords = int64_t{1} << 28;
// Far above any trained weight. The product of two such weights and a norm,
// summed over kMaxDim, stays finite. This matters because the library looks
// values up in tables, and a NaN index crashes the process.
constexpr float kMaxWeight = 1e6f;
// Hierarchical softmax builds a tree from the label counts, using 10^15 as
// infinity, and walks it recursively. With counts of at least 1 its depth is
// logarithmic.
constexpr int kHierarchicalSoftmax = 1;
constexpr int64_t kMaxCount = 1'000'000'000'000;

// Reads values from the front of the bytes. After a failed read, all values are
// zero and ok() is false, so one check suffices for a group of reads.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  T Read() {
    T value{};
    if (rest_.size() < sizeof(T)) {
      ok_ = false;
      rest_ = {};
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof(T));
    rest_.remove_prefix(sizeof(T));
    return value;
  }

  void Skip(uint64_t size) {
    if (rest_.size() < size) {
      ok_ = false;
      rest_ = {};
    } else {
      rest_.remove_prefix(size);
    }
  }

  // Avoids overflow of count * size: no count can exceed the size of the file.
  void SkipArray(int64_t count, uint64_t size) {
    if (count < 0 || static_cast<uint64_t>(count) > rest_.size()) {
      ok_ = false;
      rest_ = {};
    } else {
      Skip(static_cast<uint64_t>(count) * size);
    }
  }

  // Returns the length of the string.
  std::size_t SkipString() {
    const std::size_t end = rest_.find('\0');
    Skip(end == std::string_view::npos ? rest_.size() + 1 : end + 1);
    return end;
  }

  // Skips `count` weights and checks their bounds.
  void SkipWeights(int64_t count) {
    const std::string_view before = rest_;
    SkipArray(count, sizeof(float));
    if (!ok_) return;
    for (std::size_t i = 0; i < before.size() - rest_.size();
         i += sizeof(float)) {
      float weight;
      std::memcpy(&weight, before.data() + i, sizeof(float));
      // Written so that NaN fails.
      if (!(weight >= -kMaxWeight && weight <= kMaxWeight)) {
        ok_ = false;
        return;
      }
    }
  }

  bool ReadBool() {
    const auto value = Read<uint8_t>();
    if (value > 1) ok_ = false;
    return value == 1;
  }

  bool ok() const { return ok_; }
  std::size_t left() const { return rest_.size(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

class Checker {
 public:
  Checker(std::string_view bytes, const std::string& source)
      : reader_(bytes), source_(source) {}

  absl::StatusOr<FastTextShape> Check() {
    RETURN_IF_ERROR(CheckArguments());
    RETURN_IF_ERROR(CheckDictionary());
    const bool quantised = reader_.ReadBool();
    RETURN_IF_ERROR(CheckMatrix("input", quantised, input_rows_));
    const bool quantised_output = reader_.ReadBool() && quantised;
    RETURN_IF_ERROR(CheckMatrix("output", quantised_output, labels_));
    if (reader_.left() != 0) {
      return Error(absl::StrCat(reader_.left(), " bytes after its end"));
    }
    return FastTextShape{input_rows_, dim_, labels_, quantised,
                         quantised_output};
  }

 private:
  absl::Status Error(const std::string& what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(source_, ": not a usable fastText model: ", what));
  }
  absl::Status Truncated(const char* where) const {
    return Error(absl::StrCat("truncated or corrupt in its ", where));
  }

  absl::Status CheckArguments() {
    const auto magic = reader_.Read<int32_t>();
    const auto version = reader_.Read<int32_t>();
    if (!reader_.ok() || magic != kMagic) {
      return Error("wrong magic number; want a .bin or .ftz file");
    }
    if (version != 11 && version != 12) {
      return Error(absl::StrCat("format ", version, "; want 11 or 12"));
    }
    dim_ = reader_.Read<int32_t>();
    reader_.Skip(4 * sizeof(int32_t));  // ws, epoch, minCount, neg
    const auto word_ngrams = reader_.Read<int32_t>();
    loss_ = reader_.Read<int32_t>();
    const auto model = reader_.Read<int32_t>();
    bucket_ = reader_.Read<int32_t>();
    const auto minn = reader_.Read<int32_t>();
    const auto maxn = reader_.Read<int32_t>();
    maxn_ = maxn;
    reader_.Skip(sizeof(int32_t) + sizeof(double));  // lrUpdateRate, t
    if (!reader_.ok()) return Truncated("arguments");
    if (model != kSupervised) return Error("made for word vectors, not labels");
    if (loss_ < 1 || loss_ > 4) {
      return Error(absl::StrCat("unknown loss ", loss_));
    }
    if (dim_ < 1 || dim_ > kMaxDim) {
      return Error(absl::StrCat("dimension ", dim_, "; want 1 to ", kMaxDim));
    }
    if (bucket_ < 0 || minn < 0 || maxn < 0 || maxn > 32 || word_ngrams < 0 ||
        word_ngrams > 16) {
      return Error("arguments out of range");
    }
    // The library divides by the number of buckets.
    if ((maxn > 0 || word_ngrams > 1) && bucket_ == 0) {
      return Error("n-grams without buckets");
    }
    return absl::OkStatus();
  }

  absl::Status CheckDictionary() {
    const int64_t size = reader_.Read<int32_t>();
    const int64_t words = reader_.Read<int32_t>();
    labels_ = reader_.Read<int32_t>();
    reader_.Skip(sizeof(int64_t));  // ntokens
    const auto pruned = reader_.Read<int64_t>();
    if (!reader_.ok()) return Truncated("dictionary");
    if (words < 0 || labels_ < 1 || labels_ > kMaxLabels ||
        size != words + labels_ ||
        static_cast<uint64_t>(size) > reader_.left()) {
      return Truncated("dictionary");
    }
    int64_t subwords = 0;
    for (int64_t i = 0; i < size; ++i) {
      const std::size_t length = reader_.SkipString();
      const auto count = reader_.Read<int64_t>();
      const auto type = reader_.Read<int8_t>();
      if (!reader_.ok()) return Truncated("dictionary");
      if (length > kMaxWord) return Error("a word of more than 1024 bytes");
      subwords += static_cast<int64_t>(length + 2) * (maxn_ + 1);
      if (subwords > kMaxSubwords) return Error("too many n-grams of words");
      if (i >= words && loss_ == kHierarchicalSoftmax &&
          (count < 1 || count > kMaxCount)) {
        return Error(absl::StrCat("a label's count is ", count));
      }
      // The library assumes that words come first and labels last.
      if (type != (i < words ? 0 : 1)) return Truncated("dictionary's order");
    }
    if (pruned > static_cast<int64_t>(reader_.left())) {
      return Truncated("list of kept n-grams");
    }
    input_rows_ = words + (pruned >= 0 ? pruned : bucket_);
    for (int64_t i = 0; i < pruned; ++i) {
      const auto bucket = reader_.Read<int32_t>();
      const auto row = reader_.Read<int32_t>();
      if (!reader_.ok() || bucket < 0 || bucket >= bucket_ || row < 0 ||
          row >= pruned) {
        return Truncated("list of kept n-grams");
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckMatrix(const char* name, bool quantised,
                           int64_t want_rows) {
    const std::string where = absl::StrCat(name, " matrix");
    bool norms = false;
    if (quantised) norms = reader_.ReadBool();
    const auto rows = reader_.Read<int64_t>();
    const auto columns = reader_.Read<int64_t>();
    if (!reader_.ok()) return Truncated(where.c_str());
    if (rows != want_rows || columns != dim_) {
      return Error(absl::StrCat("its ", where, " is ", rows, " x ", columns,
                                "; want ", want_rows, " x ", dim_));
    }
    if (!quantised) {
      reader_.SkipWeights(rows * columns);
      return reader_.ok() ? absl::OkStatus() : Truncated(where.c_str());
    }
    const auto codes = reader_.Read<int32_t>();
    reader_.SkipArray(codes, 1);
    ASSIGN_OR_RETURN(const int64_t parts, CheckQuantizer(where, dim_));
    if (codes != rows * parts) return Truncated(where.c_str());
    if (norms) {
      reader_.SkipArray(rows, 1);
      RETURN_IF_ERROR(CheckQuantizer(where, 1).status());
    }
    return reader_.ok() ? absl::OkStatus() : Truncated(where.c_str());
  }

  // Checks a product quantizer. Returns the number of parts of a row.
  absl::StatusOr<int64_t> CheckQuantizer(const std::string& where,
                                         int64_t want_dim) {
    const int64_t dim = reader_.Read<int32_t>();
    const int64_t parts = reader_.Read<int32_t>();
    const int64_t part_dim = reader_.Read<int32_t>();
    const int64_t last_dim = reader_.Read<int32_t>();
    if (!reader_.ok() || dim != want_dim || parts < 1 || part_dim < 1 ||
        last_dim < 1 || last_dim > part_dim ||
        (parts - 1) * part_dim + last_dim != dim) {
      return Truncated(where.c_str());
    }
    reader_.SkipWeights(dim * kCentroids);
    if (!reader_.ok()) return Truncated(where.c_str());
    return parts;
  }

  Reader reader_;
  const std::string& source_;
  int64_t dim_ = 0;
  int64_t bucket_ = 0;
  int32_t maxn_ = 0;
  int32_t loss_ = 0;
  int64_t labels_ = 0;
  int64_t input_rows_ = 0;
};

}  // namespace

absl::StatusOr<FastTextShape> CheckFastTextFile(std::string_view bytes,
                                                const std::string& source) {
  return Checker(bytes, source).Check();
}

}  // namespace apollo
