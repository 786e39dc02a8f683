// The part of DenseCore that knows what expert workers hold of sequences, so
// that rows which they have computed before need not travel.
#include <algorithm>

#include "dense_worker/dense_core.h"
#include "dense_worker/request_check.h"
#include "engine/cache_size.h"

namespace apollo {

static_assert(kHashedTokens == kBlockTokens);

int DenseCore::FirstRow(DenseSequence& sequence, LinkId worker,
                        int most) const {
  const std::span<const BlockHash> hashes = sequence.SkippableHashes();
  const std::size_t blocks = std::max(most, 0) / kBlockTokens;
  return kBlockTokens *
         workers_.Held(worker, hashes.first(std::min(hashes.size(), blocks)));
}

int DenseCore::FirstRowAtAdmission(SequenceId id, int cached_tokens) {
  DenseSequence& sequence = sequences_.at(id);
  // It may move before it begins: see MoveIfNeeded.
  if (!workers_.Takes(sequence.worker())) return 0;
  return FirstRow(sequence, sequence.worker(), cached_tokens);
}

void DenseCore::Replay(DenseSequence& sequence, LinkId worker) {
  // At least one cached row is replayed, so a sequence has a row to replay.
  const int most = scheduler_.CachedRows(sequence.id()) - 1;
  scheduler_.Replay(sequence.id(), FirstRow(sequence, worker, most));
}

void DenseCore::NoteHeld(LinkId worker, const SequenceOutput& output,
                         DenseSequence& sequence) {
  if (!output.status.ok() || !workers_.KeepsPrefixes(worker)) return;
  workers_.NoteHeld(worker, sequence.NewlyHeld(output.position));
}

void DenseCore::BeginEarlier(DenseSequence& sequence, int held_tokens) {
  const LinkId worker = sequence.worker();
  const std::span<const BlockHash> hashes = sequence.hashes();
  const std::size_t held = std::max(held_tokens, 0) / kBlockTokens;
  workers_.NoteMissing(worker, hashes.subspan(std::min(held, hashes.size())));
  Release(sequence);
  Replay(sequence, worker);
  sequence.MoveTo(worker);
}

ExpertWorkers::Wanted DenseCore::WantedFor(DenseSequence& sequence) const {
  return {.family = sequence.request().family,
          .key = sequence.id(),
          .tokens = MaxPositions(sequence.request()),
          .rows = static_cast<std::int64_t>(sequence.fed_tokens().size()),
          .numerics = sequence.numerics(),
          .new_options = NeedsNewOptions(sequence.request()),
          .blocks = workers_.AnyKeepsPrefixes() ? sequence.SkippableHashes()
                                                : std::span<const BlockHash>()};
}

}  // namespace apollo
