"""Text that is in no language (ISO 639: zxx), from Debian packages.

Names of people, places, medicines and illnesses, code, logs, and values with
units. Only text in Latin letters: in other scripts, names show their script.
"""

import ast
import glob
import html
import json
import os
import re

MOST_CODE_FILES = 60  # Per kind and package.

UNITS = ("mg/dl", "g/dl", "mmol/l", "ng/ml", "pg/ml", "IU/l", "U/l", "mmHg", "%", "fl", "pg",
         "mg", "ml", "mcg", "kg", "cm", "µg/l", "x10^9/l", "mIU/l", "bpm", "mm/h", "C")
VALUES = ("Hb", "Hct", "MCV", "WBC", "RBC", "PLT", "Na", "K", "Cl", "Ca", "Mg", "ALT", "AST", "GGT",
          "LDH", "CRP", "ESR", "TSH", "fT3", "fT4", "HbA1c", "LDL", "HDL", "BUN", "GFR", "INR",
          "aPTT", "PSA", "CEA", "AFP", "pO2", "HCO3", "SpO2", "RR", "HR", "BMI", "BP", "T",
          "glucose", "creatinine", "bilirubin", "ferritin", "albumin", "troponin", "D-dimer",
          "cholesterol", "uric acid", "lactate", "vitamin D", "vitamin B12")
DOSES = ("bid", "tid", "qid", "qd", "po", "iv", "im", "sc", "prn", "qhs", "q8h", "q3w", "tabs", "caps",
         "tablet", "HCl", "XR", "ER", "1-0-1", "0-0-1", "2x1", "/day")
PROCESSES = ("sshd", "kernel", "systemd", "cron", "postfix/smtpd", "nginx", "dhclient", "sudo",
             "NetworkManager", "dbus-daemon", "worker", "db.pool", "http", "main", "scheduler")
LEVELS = ("ERROR", "WARN", "INFO", "DEBUG", "FATAL", "error:", "warning:", "notice:")
MESSAGES = ("connection refused", "timeout after", "cannot open", "started", "stopped",
            "session opened for user root", "Failed password for invalid user", "disconnected from",
            "GET /index.html", "POST /api/v1/users", "exit status", "out of memory",
            "segfault at", "permission denied", "no such file or directory", "accepted publickey for",
            "device not found", "link is up", "retry", "usb: new device number")
# Programs do not contain commands as people type them.
COMMANDS = ("git", "docker", "kubectl", "pip install", "npm install", "apt-get install", "sudo apt install",
            "cd", "ls -l", "grep -r", "find . -name", "tar -czf", "ssh", "scp", "curl -O", "wget", "cat",
            "python3", "make", "cmake", "systemctl restart", "chmod +x", "rm -rf", "mkdir -p", "echo")
# Statements as people type them, without the symbols that code in files is full of. {} is any noun.
STATEMENTS = ("select {} from {}", "select {}, {} from {}", "select * from {}", "select count(*) from {}",
              "select distinct {} from {}", "select {} from {} where {} = {}", "where {} > 1 order by {}",
              "select {} from {} join {} on {}", "select {} from {} group by {}", "order by {} desc limit 10",
              "insert into {} values ({})", "insert into {} ({}, {})", "update {} set {} = {}",
              "delete from {} where {}", "create table {} ({} int, {} text)", "drop table {}",
              "alter table {} add column {}", "create index on {} ({})", "left join {} using ({})",
              "grant select on {} to {}", "import {}", "import {} from {}", "from {} import {}", "return {}",
              "return {} + {}", "print {}", "print({})", "def {}({})", "class {} extends {}", "class {}",
              "for {} in {}", "for each {} in {} do", "while {} do", "if {} then {} else {} end",
              "if {} == {}", "let {} = {}", "const {} = new {}", "int {} = 0", "void {}", "function {}",
              "public static {} {}", "#include {}", "throw new {}", "try {} catch {}", "switch {} case {}",
              "echo {}", "var {} = {}", "{} = {}", "{}.{}({})", "null {}")


def _strings(node):
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def _latin(text):
    return all(ord(c) < 0x250 for c in text) and any(c.isalpha() for c in text)


def people_and_places(root):
    """Returns lists of (first, last) names and places from the providers of python3-fake-factory."""
    people, places = [], []
    for path in sorted(glob.glob(root + "/**/providers/*/*/__init__.py", recursive=True)):
        kind = path.split("/")[-3]
        if kind not in ("person", "address"):
            continue
        found = {"first": [], "last": [], "place": []}
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
        for node in ast.walk(tree):
            if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
                continue
            name = node.targets[0].id
            texts = [t for t in _strings(node.value) if _latin(t) and "{" not in t and "#" not in t]
            if "first_name" in name:
                found["first"] += texts
            elif "last_name" in name:
                found["last"] += texts
            elif name in ("cities", "city_names", "city", "states", "counties", "provinces"):
                found["place"] += texts
        if found["first"] and found["last"]:
            people.append((sorted(set(found["first"])), sorted(set(found["last"]))))
        if len(found["place"]) > 10:
            places.append(sorted(set(found["place"])))
    return people, places


def more_people(root):
    """Like faker, from ruby-ffaker, which covers other countries."""
    people = []
    for folder in sorted(glob.glob(root + "/**/data/name_*/", recursive=True)):
        found = {"first": [], "last": []}
        for path in sorted(glob.glob(folder + "*")):
            with open(path, encoding="utf-8") as file:
                names = [line.strip() for line in file if _latin(line)]
            for kind in found:
                if kind + "_name" in path or kind == "last" and "surname" in path:
                    found[kind] += names
        # The Philippines have a list of surnames only.
        if found["last"]:
            people.append((sorted(set(found["first"] or found["last"])), sorted(set(found["last"]))))
    return people


def countries(root):
    """Returns the names of countries, from tzdata."""
    with open(root + "/usr/share/zoneinfo/iso3166.tab", encoding="utf-8") as file:
        names = re.findall(r"^[A-Z]{2}\t(.*)$", file.read(), re.M)
    return sorted({name for name in names if _latin(name)})


def towns(root):
    """Returns the towns of GeoNames with 15,000 people or more, larger ones repeatedly, from libtimezonemap-data."""
    names = []
    with open(root + "/usr/share/libtimezonemap/ui/cities15000.txt", encoding="utf-8") as file:
        for line in file:
            fields = line.split("\t")
            if _latin(fields[1]) and len(fields[1]) < 40:
                names += [fields[1]] * (1 + min(7, int(fields[14]) // 150_000))
    return sorted(names)


def regions(root):
    """Returns parts of countries, from iso-codes."""
    with open(root + "/usr/share/iso-codes/json/iso_3166-2.json", encoding="utf-8") as file:
        names = {entry["name"] for entry in json.load(file)["3166-2"]}
    return sorted(name for name in names if _latin(name) and len(name) < 40)


def wordnet_below(root, tops):
    """Returns the hyponyms of some nouns, given by their offsets in WordNet's file."""
    synsets = {}
    with open(root + "/usr/share/wordnet/data.noun", encoding="utf-8") as file:
        for line in file:
            if line.startswith(" "):
                continue
            fields = line.split("|")[0].split()
            count = int(fields[3], 16)
            words = [w.replace("_", " ") for w in fields[4:4 + 2 * count:2]]
            pointers = fields[5 + 2 * count:]
            below = [pointers[i + 1] for i in range(0, len(pointers) - 3, 4) if pointers[i] in ("~", "~i")]
            synsets[fields[0]] = (words, below)
    seen, todo, result = set(), list(tops), set()
    while todo:
        place = todo.pop()
        if place in seen:
            continue
        seen.add(place)
        words, below = synsets[place]
        result.update(words)
        todo += below
    return sorted(result)


MEDICINE, ILLNESS, BODY_PART, ORGANISM = "03740161", "14061805", "05220461", "00004475"
PERSON, LOCATION = "00007846", "00027167"
ENTITY = "00001740"  # Above all other nouns.


def terms(roots):
    """Returns names of medicines, and international terms."""
    drugs = [w for w in wordnet_below(roots["wordnet-base"], [MEDICINE])
             if " " not in w and w.isalpha() and len(w) > 4]
    illnesses = [w for w in wordnet_below(roots["wordnet-base"], [ILLNESS])
                 if re.fullmatch(r"[a-z]+(osis|itis|emia|oma|ia|us|es|thy|ism)"
                                 r"|[a-z]+ [a-z]+(us|is|um|ica|ata)", w)]
    latin = [w for w in wordnet_below(roots["wordnet-base"], [ILLNESS, BODY_PART, ORGANISM])
             if re.fullmatch(r"[a-z]+[a-z]+(us|is|um|a|ans|ens|or|ma) [a-z]+(us|is|um|ica|ata|osa|orum|arum|ae|a)"
                             r"|[A-Z][a-z]+(us|is|um|a|ia|es|on) [a-z]+(us|is|um|a|i|ae|ii|ens)", w)]
    illnesses += latin
    medical = []
    with open(roots["hunspell-en-med"] + "/usr/share/hunspell/en_med_glut.dic", encoding="utf-8") as file:
        for line in file:
            word = line.strip().split("/")[0]
            # Derived from Latin and Greek, and therefore similar in many languages.
            if re.fullmatch(r"[A-Za-z]{5,20}(in|ine|ol|ide|ate|mab|nib|one|ium|osis|itis|emia|oma|pathy"
                            r"|cin|lin|zole|pril|tan|xin|mide|pam|zine|tin|il|an|us|um|ia)", word):
                medical.append(word)
    return drugs, illnesses, sorted(set(medical))


CODE = (".py", ".js", ".php", ".css", ".less", ".sql", ".sh", ".conf", ".rb", ".yaml")


def code(roots, rng):
    """Yields pieces of programs, line by line."""
    lines = []
    for package in ("ruby-rouge", "python3-fake-factory", "python3-pygments", "fail2ban", "mediawiki"):
        by_kind = {}
        for path in sorted(glob.glob(roots[package] + "/**/*", recursive=True)):
            if not os.path.isfile(path) or "/i18n/" in path or "/doc/" in path or "/_" in path:
                continue
            kind = "demo" if "/demos/" in path else os.path.splitext(path)[1]
            if (kind in CODE or kind == "demo") and not path.endswith(".min.js"):
                by_kind.setdefault(kind, []).append(path)
        for kind, paths in sorted(by_kind.items()):
            if kind != "demo":
                rng.shuffle(paths)
                paths = paths[:MOST_CODE_FILES]
            for path in paths:
                with open(path, encoding="utf-8", errors="ignore") as file:
                    mine = [line.strip() for line in file.read(20000).split("\n")]
                mine = [line for line in mine if 3 < len(line) < 300 and _latin(line)]
                # Comments are often English prose, except short ones.
                mine = [line for line in mine
                        if not re.match(r"[#*/\"'-]", line) or len(line) < 40 and kind == "demo"]
                lines += mine[:60]
    return lines


def statements(root):
    """Returns SQL statements, and some C, from the examples of PostgreSQL's manual."""
    result = []
    for path in sorted(glob.glob(root + "/usr/share/doc/postgresql-doc-*/html/*.html")):
        with open(path, encoding="utf-8") as file:
            examples = re.findall(r'<pre class="(?:programlisting|synopsis)">(.*?)</pre>', file.read(), re.S)
        for example in examples:
            example = html.unescape(re.sub(r"<[^>]*>|--.*", "", example))
            for statement in re.split(r";\s*\n|\n\s*\n", example):
                statement = " ".join(statement.split())
                if 6 <= len(statement) <= 160:
                    result.append(statement)
    return sorted(set(result))


def logs(roots):
    """Returns lines of logs, from the tests of fail2ban and the patterns of logcheck."""
    result = set()
    for path in sorted(glob.glob(roots["fail2ban"] + "/**/tests/files/logs/**/*", recursive=True)):
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="ignore") as file:
                result.update(line.strip() for line in file if not line.startswith("#"))
    for path in sorted(glob.glob(roots["logcheck-database"] + "/etc/logcheck/*/*")):
        with open(path, encoding="utf-8", errors="ignore") as file:
            for line in file:
                # What a pattern has besides the time and the host, a number for what varies.
                line = re.sub(r"^\^.*?\[\._\[:alnum:\]-\]\+ |\$$", "", line.strip()).replace("\\[", "<")
                line = re.sub(r"\[\^?\]?(?:\[:\w+:\]|\\.|[^\]])*\][*+?]*|\\[wdsS][*+]?|\.[*+]", "0", line)
                line = re.sub(r"\{\d[\d,]*\}|[()?^$*+\\]", "", line)
                result.add(line.split("|")[0].replace("<", "["))
    return sorted(line for line in result if 8 <= len(line) <= 200 and _latin(line))


def bare(line, rng):
    """Returns some words of a line of code, with few or none of its symbols."""
    tokens = re.sub(r"[^\w,.*= -]" if rng.random() < 0.3 else r"[^\w]", " ", line).split()
    count = rng.randint(2, 7)
    start = rng.randint(0, max(0, len(tokens) - count)) if rng.random() < 0.3 else 0
    return " ".join(tokens[start:start + count])


def generated(pools, rng):
    """Returns a line of names, values or the like."""
    people, famous, places, world, drugs, illnesses, medical, code_lines, nouns, queries, log_lines = pools
    number = lambda: rng.choice(("%d" % rng.randint(1, 999), "%.1f" % (rng.random() * 20),
                                 "%d/%d" % (rng.randint(80, 200), rng.randint(40, 120))))
    person = lambda: rng.choice(famous) if rng.random() < 0.15 else (
        lambda p: "%s %s" % (rng.choice(p[0]), rng.choice(p[1])))(rng.choice(people))
    syllable = lambda: rng.choice("bcdfglmnprstvxz") + rng.choice("aeiouy") + rng.choice(("", "", "l", "n", "r", "s", "x"))
    brand = lambda: "".join(syllable() for _ in range(rng.randint(2, 3))).capitalize() + rng.choice(
        ("", "", "x", "n", "ol", "in", "il", "or", "um", "is", "ra", "tin", "an", "en"))
    place = lambda: rng.choice(rng.choice(places)) + (", " + rng.choice(world) if rng.random() < 0.15 else "")
    drug = lambda: brand() if rng.random() < 0.15 else rng.choice(drugs if rng.random() < 0.5 else medical)
    gene = lambda: "".join(rng.choice("ABCDEFGHIKLMNPRSTVX") for _ in range(rng.randint(2, 4))) + (
        str(rng.randint(1, 29)) if rng.random() < 0.7 else "")
    join = lambda make, most: rng.choice((", ", " ", " / ", ", ", " + ", "; ")).join(
        make() for _ in range(rng.randint(1, most)))
    noun = lambda: rng.choice(nouns[rng.random() < 0.75]) + rng.choice(("", "", "s", "_id"))
    kind = rng.random() * 1.12
    if kind > 1.08:
        text = rng.choice(STATEMENTS)
        while "{}" in text:
            text = text.replace("{}", noun(), 1)
        return text
    if kind > 1.05:
        return bare(rng.choice(queries), rng)
    if kind > 1.03:
        return rng.choice(log_lines)
    if kind > 1:
        return bare(rng.choice(code_lines), rng)
    if kind < 0.17:
        return rng.choice(("", "", "", "", "", "Dr. ", "Prof. ")) + join(person, 2)
    if kind < 0.20:
        p = rng.choice(people)
        return "%s, %s" % (rng.choice(p[1]), rng.choice(p[0]))
    if kind < 0.36:
        return join(place, 2) + ("" if rng.random() < 0.8 else " %d" % rng.randint(1, 99999))
    if kind < 0.52:
        return join(drug, 3)
    if kind < 0.66:
        dose = lambda: "%s %s %s%s" % (join(drug, 2), number(), rng.choice(("mg", "mg", "ml", "mcg", "g", "IU", "mg/ml")),
                                       " " + rng.choice(DOSES) if rng.random() < 0.4 else "")
        return join(dose, 3)
    if kind < 0.76:
        return rng.choice(illnesses)
    if kind < 0.83:
        return join(gene, 4) + rng.choice(("", "", " exon %d" % rng.randint(1, 30), " V%dE" % rng.randint(1, 999)))
    if kind < 0.93:
        value = lambda: "%s %s %s" % (rng.choice(VALUES), number(), rng.choice(UNITS + ("",) * 8))
        return join(value, 5)
    if kind < 0.97:
        return "%s %s[%d]: %s %s %s" % (
            rng.choice(("2024-03-%02d 10:%02d:11" % (rng.randint(1, 28), rng.randint(1, 59)),
                        "Mar %d 10:12:13 host%d" % (rng.randint(1, 28), rng.randint(1, 9)),
                        "[%d.%d]" % (rng.randint(1, 999), rng.randint(1, 999)))),
            rng.choice(PROCESSES), rng.randint(1, 9999), rng.choice(LEVELS + ("",) * 4),
            rng.choice(MESSAGES), rng.choice(("10.0.0.%d port %d" % (rng.randint(1, 250), rng.randint(1, 9999)),
                                             str(rng.randint(1, 999)), "")))
    words = re.findall(r"[a-z]{3,12}", rng.choice(code_lines))
    return "%s %s" % (rng.choice(COMMANDS), " ".join(words[:rng.randint(1, 2)]))


def texts(roots, rng, count):
    """Yields `count` lines of names and values, and the lines of code."""
    people, places = people_and_places(roots["python3-fake-factory"])
    # Lists of the whole world count as much as many of one country.
    places += [regions(roots["iso-codes"])] * 6 + [towns(roots["libtimezonemap-data"])] * 24
    places += [[name for name in wordnet_below(roots["wordnet-base"], [LOCATION]) if name[0].isupper()]] * 4
    world = countries(roots["tzdata"])
    famous = [name for name in wordnet_below(roots["wordnet-base"], [PERSON]) if name.istitle() and " " in name]
    people += more_people(roots["ruby-ffaker"])
    drugs, illnesses, medical = terms(roots)
    code_lines = code(roots, rng)
    nouns = [w for w in wordnet_below(roots["wordnet-base"], [ENTITY]) if re.fullmatch("[a-z]{3,10}", w)]
    # What programs call things, and so are about, more often than what there is in the world.
    coded = set(re.findall(r"\b[a-z]{3,10}\b", "\n".join(code_lines)))
    nouns = nouns, [w for w in nouns if w in coded]
    queries = statements(roots["postgresql-doc-15"])
    log_lines = logs(roots)
    pools = people, famous, places, world, drugs, illnesses, medical, code_lines, nouns, queries, log_lines
    for _ in range(count):
        yield generated(pools, rng)
    yield from code_lines
    yield from rng.sample(queries, len(queries) // 3)
    yield from rng.sample(log_lines, len(log_lines) // 3)
