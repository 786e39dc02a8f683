#!/usr/bin/env python3
"""Extracts text in many languages from Debian packages.

    corpus.py --families FILE --out DIR [--cache DIR]

Downloads the packages that sources.py lists (with apt-get, without installing
them), and writes DIR/train.tsv, DIR/test.tsv and DIR/declaration.tsv with lines of
<language> TAB <package> TAB <text>. The text is that of the package without markup
and placeholders; normalize (normalize.cc) does the rest. The output depends only
on the versions of the packages, which are listed in DIR/packages.txt with the use
of each.
"""

import argparse
import gettext
import glob
import html
import json
import os
import random
import re
import subprocess
import sys
import zipfile

import neutral
import questions
import sources

MAX_LINE = 600
NEUTRAL_LINES = 72_000  # Names and values, without code.
QUESTIONS_PER_LANGUAGE = 5_000


def fetch(package, cache):
    """Unpacks a package in the cache and returns its path."""
    root = os.path.join(cache, package)
    if os.path.isdir(root):
        return root
    os.makedirs(cache, exist_ok=True)
    debs = glob.glob(os.path.join(cache, package + "_*.deb"))
    if not debs:
        done = subprocess.run(["apt-get", "-qq", "download", package], cwd=cache,
                              capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit("apt-get download %s: %s\nIf its lists are old or empty: apt-get update"
                     % (package, done.stderr.strip()))
        debs = glob.glob(os.path.join(cache, package + "_*.deb"))
    subprocess.run(["dpkg-deb", "-x", debs[0], root + ".part"], check=True)
    os.rename(root + ".part", root)
    return root


def version(package, cache):
    deb = glob.glob(os.path.join(cache, package + "_*.deb"))[0]
    return subprocess.run(["dpkg-deb", "-f", deb, "Version"], check=True, capture_output=True,
                          text=True).stdout.strip()


def fetch_source(package, cache):
    """Unpacks a source package in the cache and returns its path."""
    root = os.path.join(cache, package + "-source")
    if os.path.isdir(root):
        return root
    # Most machines have no sources in apt's lists, so this uses separate lists.
    apt = os.path.join(cache, "apt")
    for folder in ("lists/partial", "cache/archives/partial", package):
        os.makedirs(os.path.join(apt, folder), exist_ok=True)
    with open(os.path.join(apt, "debian.sources"), "w", encoding="utf-8") as file:
        file.write("Types: deb-src\nURIs: http://deb.debian.org/debian\nSuites: bookworm\n"
                   "Components: main\n"
                   "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n")
    options = ["-qq", "-o", "Dir::Etc::sourcelist=" + os.path.join(apt, "debian.sources"),
               "-o", "Dir::Etc::sourceparts=-", "-o", "Dir::State::lists=" + apt + "/lists",
               "-o", "Dir::Cache=" + apt + "/cache"]
    folder = os.path.join(apt, package)
    subprocess.run(["apt-get", *options, "update"], check=True)
    subprocess.run(["apt-get", *options, "source", "--download-only", package], cwd=folder,
                   check=True, stderr=subprocess.DEVNULL)
    archive = glob.glob(os.path.join(folder, "*.orig.tar.*"))[0]
    os.makedirs(root + ".part", exist_ok=True)
    subprocess.run(["tar", "-x", "-f", archive, "--strip-components=1", "-C", root + ".part"],
                   check=True)
    os.rename(root + ".part", root)
    return root


def source_version(package, cache):
    """Returns the version of a source package that fetch_source unpacked."""
    dsc = glob.glob(os.path.join(cache, "apt", package, package + "_*.dsc"))[0]
    with open(dsc, encoding="utf-8") as file:
        return re.search(r"^Version: (\S+)", file.read(), re.M).group(1)


MARKUP = [
    (re.compile(r"<!--.*?-->", re.S), " "),
    (re.compile(r"<(code|pre|nowiki|syntaxhighlight|tt|kbd|samp)\b.*?</\1>", re.S | re.I), " "),
    (re.compile(r"<[^<>]{1,300}>"), " "),
    (re.compile(r"\{\{(?:PLURAL|GENDER|GRAMMAR):[^|{}]*\|([^|{}]*)[^{}]*\}\}", re.I), r"\1"),
    (re.compile(r"\{\{[^{}]*\}\}"), " "),
    (re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]"), r"\1"),
    (re.compile(r"\[(?:https?:|\$|//)\S*\s+([^\[\]]*)\]"), r"\1"),
    (re.compile(r"https?://\S+"), " "),
    (re.compile(r"\$\d+|%\d*\$?[-+ #0]*\d*(?:\.\d+)?(?:l|ll|h|z)?[a-zA-Z]|%\([a-z_A-Z]+\)[sd]|%\d+|\$\{[^}]*\}|\$[A-Za-z_]+|\{[^{}]*\}"), " "),
    (re.compile(r"'{2,}|={2,}|__[A-Z]+__|\*{2,}|//+|~{2,}"), " "),
    (re.compile(r"\\[ntr\"\\]"), " "),
]
# Marks of keyboard shortcuts inside words: _File, &File, ~File.
SHORTCUT = re.compile(r"(?<!\w)[_&~](?=\w)|(?<=\w)[_&~](?=\w)")


def clean(text):
    text = html.unescape(text)
    for pattern, replacement in MARKUP:
        text = pattern.sub(replacement, text)
    text = SHORTCUT.sub("", text)
    return " ".join(text.split())


def words(text):
    return set(re.findall(r"\w+", text.lower()))


def translated(text, original):
    """False if a translation is still mostly the original."""
    mine, theirs = words(text), words(original)
    return not mine or len(mine & theirs) < 0.5 * len(mine)


def language_of(code, wanted):
    code = code.lower().replace("_", "-").replace("@", "-")
    code = sources.ALIASES.get(code, code)
    return code if code in wanted else None


def from_mo(path):
    try:
        with open(path, "rb") as file:
            catalog = gettext.GNUTranslations(file)._catalog
    except (OSError, UnicodeDecodeError, ValueError, IndexError):  # Some packages have invalid files.
        return
    for key, text in sorted(catalog.items(), key=str):
        original = key[0] if isinstance(key, tuple) else key
        if original and text:
            # Contexts precede the original; old contexts of Qt precede the text, too.
            yield original.split("\x04")[-1].split("|")[-1], text


def from_json(path, originals):
    with open(path, encoding="utf-8") as file:
        messages = json.load(file)
    for key, text in sorted(messages.items()):
        if isinstance(text, str):
            yield originals.get(key, ""), text


def paragraphs(text):
    return re.split(r"\n\s*\n|\n(?=\s*[*-])", text)


def texts_of(package, root, wanted):
    """Yields (language, path, original or "", text)."""
    for path in sorted(glob.glob(root + "/**/*", recursive=True)):
        if not os.path.isfile(path):
            continue
        short = path[len(root):]
        match = (re.search(r"/([^/]+)/LC_MESSAGES/[^/]+\.mo$", short)
                 or re.search(r"/languages/(?:[a-z-]+/)?([a-zA-Z_]+)\.mo$", short))
        if match:
            language = language_of(match.group(1), wanted)
            if language:
                for original, text in from_mo(path):
                    yield language, short, original, text
            continue
        match = re.search(r"/i18n/(?:.*/)?([a-z-]+)\.json$", short)
        if match and package == "mediawiki":
            language = language_of(match.group(1), wanted)
            if language:
                originals = {}
                english = os.path.join(os.path.dirname(path), "en.json")
                if language != "en" and os.path.exists(english):
                    with open(english, encoding="utf-8") as file:
                        originals = {k: v for k, v in json.load(file).items()
                                     if isinstance(v, str)}
                for original, text in from_json(path, originals):
                    yield language, short, original, text
            continue
        match = re.search(r"/lang/([a-z-]+)/[a-z]+\.txt$", short)
        if match and package == "dokuwiki":
            language = language_of(match.group(1), wanted)
            if language:
                with open(path, encoding="utf-8", errors="ignore") as file:
                    for text in paragraphs(file.read()):
                        yield language, short, "", text
            continue
        match = re.search(r"/help/([^/]+)/.*\.page$", short)
        if match:
            code = "en" if match.group(1) == "C" else match.group(1)
            language = language_of(code, wanted)
            if language:
                with open(path, encoding="utf-8", errors="ignore") as file:
                    page = file.read()
                for text in re.findall(r"<p>(.*?)</p>", page, re.S):
                    yield language, short, "", text
            continue
        match = re.search(r"/strings/([a-z]+)-[A-Z]+\.strings$|/strings/([a-z]+)\.strings$", short)
        if match:
            language = language_of(match.group(1) or match.group(2), wanted)
            if language:
                with open(path, encoding="utf-8", errors="ignore") as file:
                    for text in re.findall(r'="([^"]*)"', file.read()):
                        yield language, short, "", text
            continue
        match = re.search(r"langpack-([a-z-]+)@", short)
        if match and path.endswith(".xpi"):
            language = language_of(match.group(1), wanted)
            if language:
                with zipfile.ZipFile(path) as archive:
                    for name in sorted(archive.namelist()):
                        if name.endswith((".ftl", ".properties")):
                            content = archive.read(name).decode("utf-8", "ignore")
                            for text in re.findall(r"^[^#\s][^=\n]*=[ \t]*(\S.*)$",
                                                   content, re.M):
                                yield language, short, "", text


def declaration(wanted, cache):
    """Yields (language, text): the Universal Declaration of Human Rights, by paragraphs."""
    folder = os.path.join(fetch_source(sources.DECLARATION, cache), "langclass/ShortTexts")
    for name in sorted(os.listdir(folder)):
        language = language_of(name.removesuffix(".txt"), wanted)
        if language and name.endswith(".txt"):
            with open(os.path.join(folder, name), encoding="utf-8", errors="ignore") as file:
                for line in file:
                    yield language, clean(line)


def made_up(folder, cache):
    """Yields (language, source, text): text in no language, and short questions."""
    rng = random.Random(1)
    roots = {package: fetch(package, cache) for package in sources.NEUTRAL + ["mediawiki"]}
    seen = set()
    for text in neutral.texts(roots, rng, NEUTRAL_LINES):
        text = " ".join(text.split())
        if text not in seen:
            seen.add(text)
            yield sources.NO_LANGUAGE, sources.NEUTRAL_TEXT, text
    drugs, illnesses, medical = neutral.terms(roots)
    for language, (slots, frames) in sorted(questions.load(folder).items()):
        latin = all(ord(c) < 0x370 for c in frames[0])
        for text in questions.texts(slots, frames, latin, illnesses + medical, drugs + medical,
                                    rng, QUESTIONS_PER_LANGUAGE):
            yield language, sources.QUESTIONS, text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--cache", default=os.path.expanduser("~/.cache/apollo-moe/language/packages"))
    arguments = parser.parse_args()

    table = []
    with open(arguments.families, encoding="utf-8") as file:
        for line in file:
            line = line.split("#")[0]
            if ":" in line:
                table += line.split(":")[1].split()
    wanted = set(table) | set(sources.OTHERS)

    os.makedirs(arguments.out, exist_ok=True)
    outputs = {role: open(os.path.join(arguments.out, role + ".tsv"), "w", encoding="utf-8")
               for role in ("train", "test")}
    for role, packages in (("train", sources.TRAIN), ("test", sources.TEST)):
        for package in packages:
            seen = set()
            count = 0
            for language, path, original, text in texts_of(
                    package, fetch(package, arguments.cache), wanted):
                if original == "translator-credits" or "Launchpad" in text:
                    continue
                text = clean(text)
                if len(text) < 3:
                    continue
                original = clean(original)
                if language != "en" and original and not translated(text, original):
                    continue
                to = role
                if package == sources.SPLIT_PACKAGE and any(
                        part in path for part in sources.SPLIT.get(language, [])):
                    to = "test"
                if (language, text) in seen:
                    continue
                seen.add((language, text))
                count += 1
                outputs[to].write("%s\t%s\t%s\n" % (language, package, text[:MAX_LINE]))
            print("%8d texts from %s" % (count, package), file=sys.stderr)
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "questions")
    for language, source, text in made_up(folder, arguments.cache):
        outputs["train"].write("%s\t%s\t%s\n" % (language, source, text[:MAX_LINE]))
    for file in outputs.values():
        file.close()
    with open(os.path.join(arguments.out, "declaration.tsv"), "w", encoding="utf-8") as file:
        for language, text in declaration(wanted, arguments.cache):
            if len(text) >= 3:
                file.write("%s\t%s\t%s\n" % (language, sources.DECLARATION, text[:MAX_LINE]))
    with open(os.path.join(arguments.out, "packages.txt"), "w", encoding="utf-8") as file:
        for role, packages in (("train", sources.TRAIN + sources.NEUTRAL),
                               ("test", sources.TEST)):
            for package in sorted(packages):
                file.write("%s %s %s\n" % (role, package, version(package, arguments.cache)))
        file.write("test %s %s (source)\n"
                   % (sources.DECLARATION, source_version(sources.DECLARATION, arguments.cache)))


if __name__ == "__main__":
    main()
