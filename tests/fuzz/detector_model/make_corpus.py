#!/usr/bin/env python3
"""Writes corpus/: small fastText models of every kind that the detector loads, and invalid ones.

The layout is that of fastText 0.9.2 (Args::save, Dictionary::save, DenseMatrix::save, QuantMatrix::save).
"""

import pathlib
import struct

LABELS = ("de", "ru", "hi", "nl")


def arguments(dim=2, loss=3, model=3, bucket=8, minn=1, maxn=3, version=12, word_ngrams=1):
    return struct.pack("<14i", 793712314, version, dim, 5, 5, 1, 5, word_ngrams, loss, model, bucket, minn, maxn,
                       100) + struct.pack("<d", 1e-4)


def dictionary(words=(), labels=LABELS, pruned=None, counts=None, size=None):
    size = len(words) + len(labels) if size is None else size
    kept = pruned if pruned is not None else []
    out = struct.pack("<3i2q", size, len(words), len(labels), 100, -1 if pruned is None else len(kept))
    for i, word in enumerate([*words, *("__label__" + label for label in labels)]):
        count = counts[i] if counts else 10
        out += word.encode() + b"\0" + struct.pack("<qb", count, int(i >= len(words)))
    return out + b"".join(struct.pack("<2i", *pair) for pair in kept)


def values(count):
    return struct.pack("<%df" % count, *(((i * 7) % 11 - 5) / 4 for i in range(count)))


def dense(rows, dim=2, fill=None):
    return struct.pack("<2q", rows, dim) + (values(rows * dim) if fill is None else fill)


def quantizer(dim, parts, part_dim):
    return struct.pack("<4i", dim, parts, part_dim, dim - (parts - 1) * part_dim) + values(dim * 256)


def quantised(rows, dim=2, parts=1, norms=True):
    codes = bytes(i % 256 for i in range(rows * parts))
    out = struct.pack("<?2qi", norms, rows, dim, len(codes)) + codes + quantizer(dim, parts, -(-dim // parts))
    return out + (bytes(rows) + quantizer(1, 1, 1) if norms else b"")


def main():
    folder = pathlib.Path(__file__).parent / "corpus"
    folder.mkdir(exist_ok=True)

    def write(name, *parts):
        (folder / name).write_bytes(b"".join(parts))

    off, on = b"\0", b"\1"
    matrix, output = dense(8), dense(len(LABELS))
    write("softmax", arguments(), dictionary(), off, matrix, off, output)
    write("hierarchical", arguments(loss=1), dictionary(), off, matrix, off, output)
    write("negative_sampling", arguments(loss=2), dictionary(), off, matrix, off, output)
    write("one_vs_all", arguments(loss=4), dictionary(), off, matrix, off, output)
    write("words", arguments(maxn=0, minn=0, bucket=0), dictionary(("was", "sind", "</s>")), off, dense(3), off,
          output)
    write("word_ngrams", arguments(word_ngrams=3), dictionary(("was", "sind")), off, dense(10), off, output)
    write("format_11", arguments(version=11), dictionary(("was",)), off, dense(9), off, output)
    write("quantised", arguments(), dictionary(), on, quantised(8), off, output)
    write("quantised_output", arguments(loss=4), dictionary(), on, quantised(8, norms=False), on,
          quantised(len(LABELS)))
    write("pruned", arguments(), dictionary(pruned=[(1, 0), (5, 1)]), on, quantised(2), off, output)
    write("pruned_dense", arguments(), dictionary(pruned=[(1, 0), (5, 1)]), off, dense(2), off, output)
    write("unknown_labels", arguments(), dictionary(labels=("xx", "yy", "zz_Latn", "")), off, matrix, off, output)
    write("label_twice", arguments(), dictionary(labels=("de", "de", "deu_Latn", "ru")), off, matrix, off, output)

    write("empty")
    write("head_only", arguments()[:8])
    write("word_vectors", arguments(model=1), dictionary(), off, matrix, off, output)
    write("no_labels", arguments(), dictionary(labels=()), off, matrix, off, dense(0))
    write("size_lies", arguments(), dictionary(size=2**31 - 1), off, matrix, off, output)
    write("rows_lie", arguments(), dictionary(), off, struct.pack("<2q", 2**62, 2), matrix, off, output)
    write("negative_rows", arguments(), dictionary(), off, struct.pack("<2q", -8, 2), matrix, off, output)
    write("huge_bucket", arguments(bucket=2**31 - 1), dictionary(), off, matrix, off, output)
    write("huge_dim", arguments(dim=2**31 - 1), dictionary(), off, matrix, off, output)
    write("deep_tree", arguments(loss=1), dictionary(counts=(0, 0, 0, 0)), off, matrix, off, output)
    write("count_overflow", arguments(loss=1), dictionary(counts=(2**62,) * 4), off, matrix, off, output)
    write("not_a_number", arguments(loss=4), dictionary(), off, dense(8, fill=b"\xff" * 64), off, output)
    write("not_a_bool", arguments(), dictionary(), b"\7", quantised(8), off, output)
    write("pruned_out_of_range", arguments(), dictionary(pruned=[(1, 7), (5, 1)]), on, quantised(2), off, output)
    write("codes_lie", arguments(), dictionary(), on, struct.pack("<?2qi", True, 8, 2, 3), b"\0\0\0",
          quantizer(2, 1, 2), off, output)
    write("long_word", arguments(), dictionary(("w" * 3000,)), off, dense(9), off, output)
    write("truncated", arguments(), dictionary(), off, matrix, off, output[:-5])
    write("trailing", arguments(), dictionary(), off, matrix, off, output, b"x")


if __name__ == "__main__":
    main()
