#!/usr/bin/env python3
"""Makes differences.json: templates that a library may render otherwise than Jinja.

Each has the texts that jinja2 gives for three chats, or null where it fails.
chat_template_test requires that each template is refused at start if "refused"
is true, and gives these texts otherwise.

Usage: make_differences.py        (needs jinja2 3.1.6)
"""

import json
import pathlib

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).resolve().parent
CHATS = [
    [{"role": "user", "content": "Été, 7?"}],
    [{"role": "system", "content": "S."}, {"role": "user", "content": "a b"}],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
     {"role": "user", "content": "c"}],
]

LOOP = "{% for m in messages %}"
END = "{% endfor %}"
SAME = [
    LOOP + "{{ loop.index0 % 2 }}{{ loop.index // 2 }}{{ (loop.index + 1) % 2 }}" + END,
    "{% set ns = namespace(n=0) %}" + LOOP + "{{ ns.n % 2 }}{% set ns.n = ns.n + 1 %}" + END,
    "{{ messages | length % 2 }}x",
    "{% if messages[0].role == 'user' and messages[0].content %}y{% else %}n{% endif %}",
    "{{ 'y' if messages and messages[0].content else 'n' }}",
    "{% set a = loop is defined and messages[0].role == 'user' %}{{ a }}",
    "{{ messages[0].name or messages[0].role }}",
    "{% set t = none %}{% if t is none %}n{% endif %}{% if t is defined %}d{% endif %}",
    "{% if t is none %}n{% endif %}{% if t is defined %}d{% endif %}{% if t is undefined %}u{% endif %}",
    "{% if not t is defined %}{% set t = none %}{% endif %}{% if t is not none %}t{% endif %}x",
    LOOP + "{% if m.name is defined and m.name is not none %}n{% else %}-{% endif %}" + END,
    LOOP + "{% if t is false %}f{% endif %}{% if m.content is true %}t{% endif %}{{ m.content is not false }}" + END,
    LOOP + "{{ m.role.upper() }}{{ m['role'] | capitalize if false else m['role'].capitalize() }}" + END,
    "{% set rest = messages[1:] %}{{ rest | length }}{% for m in rest[::-1] %}{{ m.content }}" + END,
    "{% set rest = messages[1:] if messages[0].role == 'system' else messages %}{{ rest[0].content }}{{ rest[:1] | length }}",
    LOOP + "{{ m.content.split(' ')[0] }}{{ m.content.split(' ')[-1] }}{{ m.content.split(' ')[:1] | length }}" + END,
    LOOP + "{{ m.content.strip(' a') }}{{ m.content.replace('é', 'e') }}" + END,
    LOOP + "{{ (m.role ~ '!') == 'user!' }}" + END,
    LOOP + "{{ m.role ~ '!' }}{{ 'x' + m.content | trim }}{{ m.content | default('none') }}" + END,
    "{% for m in messages if m.role == 'user' %}{{ m.content }}{{ loop.index }}{% else %}-" + END,
    "{{ messages[0].content.startswith('a') and true }}",
    # Null for minja, because what they were set to is not defined.
    LOOP + "{% if w is defined %}d{% else %}u{% endif %}{% if w is none %}n{% endif %}{% set w = 1 %}" + END,
    "{% set n = messages[0].name %}{% if n is defined %}d{% endif %}{% if n is not none %}q{% endif %}x",
    "{% set n = messages[0].content if messages[0].role == 'system' %}{% if n is defined %}{{ n }}{% endif %}x",
]
REFUSED = [
    "{{ -7 % 3 }}", "{{ (messages | length - 4) % 3 }}", "{{ (1 - 4) // 2 }}",
    "{% set ns = namespace(n=3) %}" + LOOP + "{% set ns.n = ns.n - 2 %}{{ ns.n % 2 }}" + END,
    "{{ messages[0].role and messages[0].content }}",
    "{% set a = messages[0].role and messages[0].content %}{{ a }}",
    "{{ none }}x", "{% set a = none %}{{ a }}x", "{% set a = none %}{{ a | default('d') }}",
    "{% set ns = namespace(a=none) %}{{ ns.a is defined }}",
    "{% set l = [] %}{{ l.append(1) }}x", "{{ messages[0].get('name') }}x",
    "{{ messages[0].name is none }}", "{{ null }}x",
    "{{ messages[0].content.upper() }}", "{{ messages[0].content | lower }}",
    "{{ messages[0].content.title() }}",
    "{{ messages[0].content[0:1] }}", "{{ messages[0].content[:-1] }}", "{{ messages[0].content[0] }}x",
    "{% set c = messages[0].content %}{{ c[:2] }}",
    "{{ messages[0].content.strip('é') }}", "{{ messages[0].content.strip('') }}",
    "{{ messages[0].content.replace('', '-') }}",
    "{{ messages[0].role ~ '!' == 'user!' }}", "{{ 'a' ~ 'b' in 'ab' }}", "{{ 2 * messages | length }}",
    "{{ 'a' + messages[0].role is string }}", "{{ 1 == 1 == 1 }}",
    "{{ 'x' ~ 0.5 }}", "{{ '3 a' | int }}", "{{ 'a\nb' | indent }}", "{{ \"'\" | e }}",
    "{{ messages[0].content is sequence }}",
    LOOP + "{{ loop.depth }}" + END, "{{ messages | selectattr('name') | list | length }}",
    "{% set m = 'x' %}" + LOOP + "{{ m.role }}" + END + "{{ m }}",
    LOOP + LOOP + "{{ m.role }}" + END + "{{ m.role }}" + END,
    "{{ 'a' ~ name }}", "{{ messages[0] }}",
    "{% if t == none %}n{% endif %}x", "{% if messages[0].name != none %}n{% endif %}x",
    "{{ messages[0].content in ['', 'z'] }}", "{% if 0 in [0, 1] %}y{% endif %}x",
    "{% filter upper %}{{ messages[0].content }}{% endfilter %}",
    "{{ messages | map(attribute='content') | map('upper') | join }}x",
]


def render(template, chat):
    """Returns the text that Jinja gives, or None if it fails."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    try:
        return environment.from_string(template).render(messages=chat, add_generation_prompt=True)
    except (jinja2.TemplateError, TypeError):
        return None


def main():
    cases = [{"template": template, "refused": template in REFUSED,
              "texts": [render(template, chat) for chat in CHATS]} for template in SAME + REFUSED]
    lines = ",\n".join(json.dumps(case) for case in cases)
    (HERE / "differences.json").write_text(
        '{"chats": ' + json.dumps(CHATS) + ',\n"cases": [\n' + lines + "\n]}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
