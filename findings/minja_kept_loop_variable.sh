#!/bin/bash
# minja (xllamacpp 0.2.6): a variable that a chat template sets in a loop is still set in the next round.
#
# minja renders the Jinja chat templates of checkpoints in C++ (llama.cpp had it, and others build
# on it). The guess is that it gives the prompt that Hugging Face transformers gives with Jinja
# itself. In Jinja, `{% set %}` inside a loop ends with the round. In minja it does not: a variable
# that a round does not set has the value of an earlier round. A template that names the speaker
# only where it knows him then gives the words of one speaker to another, without any error.
#
# For those who serve such models: here the reply of the assistant is labelled as the patient's, so
# the model reads another conversation than in training. Remedies: give the variable a value in
# each round, or compare rendered texts with Jinja's before a template is served.
#
# Usage: findings/minja_kept_loop_variable.sh  (needs g++, python3-pip and PyPI; 60 MB)
# Exits with 0 if the behaviour is as described, 1 if it has changed, 2 if nothing could be run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv --without-pip "$work/venv" || exit 2
python3 -m pip --quiet --python "$work/venv/bin/python" install --no-compile --only-binary :all: \
  jinja2==3.1.6 || exit 2
# Headers only: nothing is built.
python3 -m pip --quiet download --no-deps --no-binary xllamacpp --dest "$work" \
  xllamacpp==0.2.6 || exit 2
tar -xzf "$work"/xllamacpp-0.2.6.tar.gz -C "$work" --wildcards '*/vendor/minja/*' '*/vendor/nlohmann/*' || exit 2
vendor=$(echo "$work"/xllamacpp-0.2.6/*/llama.cpp/vendor)

cat > "$work/render.cc" << 'CPP'
#include <iostream>

#include "minja/minja.hpp"

int main(int, char** arguments) {
  const auto context = minja::Context::make(nlohmann::ordered_json::parse(arguments[2]));
  std::cout << minja::Parser::parse(arguments[1], {})->render(context);
}
CPP
g++ -std=c++17 -O0 -w -I "$vendor" "$work/render.cc" -o "$work/render" || exit 2

"$work/venv/bin/python" - "$work/render" << 'PYTHON'
import json
import subprocess
import sys

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

TEMPLATE = ("{% for m in messages %}{% if m.role == 'user' %}{% set who = 'Patient' %}{% endif %}"
            "{{ who if who else 'Doctor' }}: {{ m.content }}\n{% endfor %}")
MESSAGES = {"messages": [{"role": "user", "content": "It hurts here."},
                         {"role": "assistant", "content": "Since when?"},
                         {"role": "user", "content": "Since Monday."}]}
GUESS = "Patient: It hurts here.\nDoctor: Since when?\nPatient: Since Monday.\n"
SEEN = "Patient: It hurts here.\nPatient: Since when?\nPatient: Since Monday.\n"

jinja = ImmutableSandboxedEnvironment(keep_trailing_newline=True).from_string(TEMPLATE).render(**MESSAGES)
minja = subprocess.run([sys.argv[1], TEMPLATE, json.dumps(MESSAGES)], check=True, capture_output=True,
                       text=True).stdout
print(f"jinja2 {jinja2.__version__}, minja of xllamacpp 0.2.6")
print("a good guess: both give the same prompt")
for name, text in (("Jinja", jinja), ("minja", minja)):
    print(f"{name}:")
    print("".join(f"  {line}\n" for line in text.splitlines()), end="")
changed = (jinja.rstrip("\n"), minja.rstrip("\n")) != (GUESS.rstrip("\n"), SEEN.rstrip("\n"))
print("The behaviour has changed." if changed else
      "As described: in minja, the assistant's words become the patient's.")
sys.exit(changed)
PYTHON
