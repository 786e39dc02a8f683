"""Creates the golden checkpoints and their expected.json (see README.md). Deterministic.

    python3 make_golden.py [CASE...]      write them to this folder
    python3 make_golden.py --check DIR    write to DIR and compare with the committed files

Prompts are the result of a search: random words are kept only if no decision of the model is close
in any routing mode. Otherwise two correct float32 implementations could disagree.
"""

import argparse
import filecmp
import json
import os
import sys

# One thread: the matrices are tiny, and the order of additions stays fixed.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import tokenizers  # noqa: E402

import cases  # noqa: E402
import oracle  # noqa: E402

MAX_FLOAT32_DISTANCE = 2e-4  # of log-probabilities, between the oracle in float64 and in float32
# The same with the operands of products rounded to bf16: generated tokens, scores.
MAX_BF16_DISTANCE = (0.06, 0.1)
HERE = os.path.dirname(os.path.abspath(__file__))

WORDS = {
    "characters": [chr(c) for c in range(ord("!"), ord("~") + 1)],
    "english": (
        "fever cough pain dose heart liver blood sugar asthma anaemia insulin nurse clinic sleep "
        "rash virus vaccine child knee tooth skin lung kidney stroke diet salt 5mg 120/80 A+ mild"
    ).split(),
    "languages": (
        "发烧 头痛 심장 약 せき 血圧 ज्वर रगत ไข้ ปวด sốt đau ເຈັບ tazo hilanat panas sakit बुखार दवा Fieber "
        "Herz dolor niño febre cœur fièvre боль врач रक्त cuore jetra dolž srdce coração сърце кроў "
        "حمى قلب تا دڵ deni qalb חום לב bolɔzi သွေး homa mgonjwa obi zazzabi umuriro 💊 🩺 été ß ñ"
    ).split(),
    # Not in NFC: letters followed by combining marks, Hangul as single jamo,
    # and the ohm sign, which NFC replaces.
    "decomposed": (
        "fie\u0300vre sa\u0323\u0302t nin\u0303o \u1112\u1167\u11af A\u030angst cafe\u0301 \u2126 "
        "\u0438\u0306od u\u0308ber c\u0327a s\u0323\u0307 \u1103\u1161\u11bc"
    ).split(),
}


class Slot:
    """A kind of prompt: the source of its words and their composition."""

    def __init__(self, name, pools, tokens, new_tokens, prefix="", suffix="", ends=False):
        self.name, self.pools, self.tokens, self.new_tokens = name, pools, tokens, new_tokens
        self.prefix, self.suffix, self.ends = prefix, suffix, ends


SLOTS = [
    Slot("one_token", ["characters"], 1, 16),
    Slot("short", ["english"], 12, 24),
    Slot("question", ["english"], 40, 20, prefix="User:", suffix="\nAssistant:"),
    Slot("languages", ["languages"], 70, 16),
    Slot("decomposed", ["decomposed"], 24, 16),
    Slot("long", ["english", "languages"], 200, 20),
    Slot("ends", ["english", "languages"], 16, 16, ends=True),
]
CONTINUATIONS = ["A", " B", " fever", " 심장", "\n", "-> 5mg!", " Fieber", "医", "C.", " no", "é", "?"]


class Bf16Model(oracle.Model):
    """Rounds the operands of products to bf16, as stages on GPUs do."""

    def operand(self, x):
        bits = x.astype(np.float32).view(np.uint32)  # To nearest, ties to even.
        bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
        return bits.astype(np.uint32).view(np.float32).astype(self.dtype)


class Unclear(Exception):
    """A decision is too close, or the run is not of the required kind."""


class Searcher:
    """Searches the prompts of one case. Holds a sequence per routing mode with the prompt so far."""

    def __init__(self, case, directory):
        self.case = case
        self.model = oracle.Model(directory)
        self.tokenizer = tokenizers.Tokenizer.from_file(os.path.join(directory, "tokenizer.json"))
        self.modes = [None, *range(case.experts)]
        self.random = np.random.RandomState(case.seed + 1000)
        self.reset()

    def reset(self):
        self.sequences = {mode: oracle.Sequence(self.model, mode) for mode in self.modes}

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def _try(self, action):
        """Runs action on every sequence; on Unclear restores all of them and returns None."""
        length = self.sequences[None].length
        try:
            return {mode: action(s) for mode, s in self.sequences.items()}
        except Unclear:
            for s in self.sequences.values():
                s.truncate(length)
            return None

    def _feed(self, sequence, ids):
        if ids:
            sequence.feed(ids)
        if sequence.clearness() < self.case.min_gate_gap:
            raise Unclear

    def _generate(self, sequence, last_id, slot):
        length = sequence.length
        result = oracle.generate(sequence, [last_id], slot.new_tokens)
        clear = result.logit_gap >= self.case.min_logit_gap and sequence.clearness() >= self.case.min_gate_gap
        sequence.truncate(length)
        wanted = cases.END_TOKEN not in result.ids
        if slot.ends:
            # TOPK must end after a few tokens; the other modes need not.
            wanted = sequence.family is not None or (result.finish == "stop" and len(result.ids) >= 4)
        elif sequence.family is None:
            wanted = wanted and len(set(result.ids)) >= 6
        if not clear or not wanted or max(result.ids) >= cases.END_TOKEN + len(cases.SPECIAL_TOKENS):
            raise Unclear
        return result

    def prompt(self, slot):
        """Returns the text, its ids and a Generation per mode."""
        words = [w for pool in slot.pools for w in WORDS[pool]]
        for _ in range(5):
            self.reset()
            text, ids = slot.prefix, self.encode(slot.prefix)
            if self._try(lambda s: self._feed(s, ids)) is None:
                raise RuntimeError(f"{self.case.name}: the prefix of {slot.name} is unclear")
            for _ in range(400):
                word = words[self.random.randint(len(words))]
                separator = " " if text and text != slot.prefix else ""
                last = len(ids) + len(self.encode(separator + word)) >= slot.tokens
                piece = separator + word + (slot.suffix if last else "")
                # generate() feeds the last token of the prompt.
                new = self.encode(piece)
                if self._try(lambda s: self._feed(s, new[:-1] if last else new)) is None:
                    continue
                if not last:
                    text, ids = text + piece, ids + new
                    continue
                runs = self._try(lambda s: self._generate(s, new[-1], slot))
                if runs is not None:
                    text, ids = text + piece, ids + new
                    if self.encode(text) != ids:
                        raise RuntimeError("the ids of the text are not those of its pieces")
                    return text, ids, runs
                for s in self.sequences.values():
                    s.truncate(len(ids))
        raise RuntimeError(f"{self.case.name}: no prompt {slot.name} found; try another seed")

    def continuations(self, ids, count):
        """Returns the scores, per mode, of the first continuations whose decisions are all clear."""
        found = []
        for text in CONTINUATIONS:
            extra = self.encode(text)
            scores = {}
            for mode in self.modes:
                sequence = oracle.Sequence(self.model, mode)
                scores[mode] = oracle.score(sequence, ids, extra)
                if sequence.clearness() < self.case.min_gate_gap:
                    break
            else:
                found.append((text, extra, scores))
            if len(found) == count:
                return found
        raise RuntimeError(f"{self.case.name}: too few clear continuations")


def _rounded(values):
    return [round(v, 6) for v in values]


def _mode(mode):
    return {"routing": "topk" if mode is None else "hybrid", "expert": -1 if mode is None else mode}


def _check_float32(directory, prompts):
    """Repeats everything in float32. Checks tokens and experts, and returns the largest error."""
    model = oracle.Model(directory, np.float32)
    reference = oracle.Model(directory)
    worst = 0.0
    for slot, _, ids, runs in prompts:
        for mode, run in runs.items():
            sequence, exact = oracle.Sequence(model, mode), oracle.Sequence(reference, mode)
            other = oracle.generate(sequence, ids, slot.new_tokens)
            oracle.generate(exact, ids, slot.new_tokens)
            if other.ids != run.ids:
                raise RuntimeError(f"{directory}, {slot.name}: float32 generates other tokens")
            for layer, route in exact.routes.items():
                if not np.array_equal(route[0], sequence.routes[layer][0]):
                    raise RuntimeError(f"{directory}, {slot.name}: float32 chooses other experts")
            worst = max(worst, float(np.max(np.abs(np.array(other.logprobs) - np.array(run.logprobs)))))
    if worst > MAX_FLOAT32_DISTANCE:
        raise RuntimeError(f"{directory}: float32 is off by {worst}")
    return worst


def _check_bf16(directory, prompts, lines):
    """Repeats everything with operands in bf16, and checks the experts.

    Returns how many runs get another token somewhere, and the largest errors of log-probabilities: of generated tokens
    (those of the reference, whatever bf16 would choose) and of scored ones.
    """
    model, reference = Bf16Model(directory), oracle.Model(directory)
    differ, worst = 0, [0.0, 0.0]

    def note(kind, logprobs, expected):
        worst[kind] = max(worst[kind], float(np.max(np.abs(np.array(logprobs) - np.array(expected)))))

    for slot, _, ids, runs in prompts:
        for mode, run in runs.items():
            sequence, exact = oracle.Sequence(model, mode), oracle.Sequence(reference, mode)
            note(0, oracle.score(sequence, ids, run.ids), run.logprobs)
            oracle.score(exact, ids, run.ids)
            for layer, route in exact.routes.items():
                if not np.array_equal(route[0], sequence.routes[layer][0]):
                    raise RuntimeError(f"{directory}, {slot.name}: bf16 chooses other experts")
            differ += oracle.generate(oracle.Sequence(model, mode), ids, slot.new_tokens).ids != run.ids
    prompt_ids = {slot.name: ids for slot, _, ids, _ in prompts}
    for entry in lines["scores"]:
        sequence = oracle.Sequence(model, None if entry["expert"] < 0 else entry["expert"])
        note(1, oracle.score(sequence, prompt_ids[entry["prompt"]], entry["ids"]), entry["logprobs"])
    if differ > len(lines["runs"]) / 8 or any(actual > most for actual, most in zip(worst, MAX_BF16_DISTANCE)):
        raise RuntimeError(f"{directory}: bf16 changes {differ} of {len(lines['runs'])} runs and is off by {worst}; it "
                           f"may change an eighth and be off by {MAX_BF16_DISTANCE}")
    return differ, *worst


def _check_variety(case, model, prompts):
    """Checks that the case can distinguish right implementations from wrong ones."""
    experts_used = {layer: set() for layer in model.config.sparse_layers}
    for slot, _, ids, _ in prompts:
        sequence = oracle.Sequence(model)
        oracle.generate(sequence, ids, slot.new_tokens)
        for layer, (experts, _, _) in sequence.routes.items():
            experts_used[layer].update(np.unique(experts).tolist())
    for layer, used in experts_used.items():
        if len(used) < case.experts:
            raise RuntimeError(f"{case.name}: layer {layer} uses only the experts {sorted(used)}")
    for e in range(case.experts):
        differ = sum(runs[e].ids != runs[None].ids for _, _, _, runs in prompts)
        if case.top_k == case.experts and differ:
            raise RuntimeError(f"{case.name}: all experts are chosen, so HYBRID must equal TOPK")
        if case.top_k < case.experts and differ < 2:
            raise RuntimeError(f"{case.name}: HYBRID with expert {e} hardly differs from TOPK")


def expected(case, directory):
    searcher = Searcher(case, directory)
    prompts = [(slot, *searcher.prompt(slot)) for slot in SLOTS]
    lines = {"prompts": [], "runs": [], "scores": [], "routing": []}
    for slot, text, ids, runs in prompts:
        lines["prompts"].append(
            {"name": slot.name, "text": text, "ids": ids, "max_new_tokens": slot.new_tokens})
        for mode, run in runs.items():
            entry = {"prompt": slot.name, **_mode(mode), "ids": run.ids,
                     "logprobs": _rounded(run.logprobs), "finish": run.finish}
            if case.bf16 or (mode is None and slot.name == "short"):
                entry["top"] = [[[t, round(p, 6)] for t, p in best] for best in run.top]
            lines["runs"].append(entry)
            if slot.name == "languages":
                sequence = oracle.Sequence(searcher.model, mode)
                oracle.generate(sequence, ids, slot.new_tokens)
                lines["routing"].append(
                    {"prompt": slot.name, **_mode(mode), "layers": sequence.routing_record()})
        if slot.name in ("one_token", "question"):
            for extra_text, extra, scores in searcher.continuations(ids, 4):
                for mode, logprobs in scores.items():
                    lines["scores"].append(
                        {"prompt": slot.name, **_mode(mode), "text": extra_text, "ids": extra,
                         "logprobs": _rounded(logprobs)})
    _check_variety(case, searcher.model, prompts)
    worst = _check_float32(directory, prompts)
    gap = min(run.logit_gap for _, _, _, runs in prompts for run in runs.values())
    summary = (f"{case.name}: smallest logit gap {gap:.4f}, float32 off by {worst:.1e}, "
               f"{len(lines['runs'])} runs, {len(lines['scores'])} scores")
    if case.bf16:
        summary += (", bf16 changes %d runs and is off by %.3f (tokens), %.3f (scores)"
                    % _check_bf16(directory, prompts, lines))
    return {"case": case.name, "what": case.what}, lines, summary


def _write_expected(path, head, lines):
    """Writes JSON with one entry per line, so that diffs are readable."""

    def compact(value):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    with open(path, "w", encoding="utf-8", newline="\n") as f:
        f.write("{\n" + "".join(f"{compact(k)}:{compact(v)},\n" for k, v in head.items()))
        sections = []
        for name, entries in lines.items():
            sections.append(f"{compact(name)}:[\n" + ",\n".join(map(compact, entries)) + "\n]")
        f.write(",\n".join(sections) + "\n}\n")


def _same_files(left, right):
    names = sorted(os.listdir(right))
    _, differ, failed = filecmp.cmpfiles(left, right, names, shallow=False)
    return names == sorted(os.listdir(left)) and not differ and not failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help="names of cases; default: all")
    parser.add_argument("--check", metavar="DIR", help="write to DIR and compare with the committed files")
    args = parser.parse_args()
    known = {c.name: c for c in cases.CASES}
    unknown = [n for n in args.cases if n not in known]
    if unknown:
        parser.error(f"unknown case {unknown[0]}; known: {', '.join(known)}")
    same = True
    for name in args.cases or known:
        directory = os.path.join(args.check or HERE, name)
        cases.write_checkpoint(directory, known[name])
        head, lines, summary = expected(known[name], directory)
        _write_expected(os.path.join(directory, "expected.json"), head, lines)
        print(summary, flush=True)
        if args.check and not _same_files(directory, os.path.join(HERE, name)):
            same = False
            print(f"{name}: differs from the committed files", file=sys.stderr)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
