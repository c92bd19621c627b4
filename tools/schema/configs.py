#!/usr/bin/env python3
"""Turns schema/configs.def into the C++ table that src/config is built on.

    configs.py DEF OUT.cc     writes the table
    configs.py --check DEF    only reads it, and says what is wrong

The language stands at the top of the .def file. Standard library only; test: configs_test.py.
"""
import re
import sys
from dataclasses import dataclass, field

TYPES = ["boolean", "string", "int", "short", "long", "double", "list", "class", "password"]
SCOPES = ["broker", "topic", "group", "client-metrics", "broker-quota"]
MODES = {"per-broker": "kPerBroker", "cluster-wide": "kClusterWide"}
CHECKS = {"nonempty": "kNonEmpty", "notnull": "kNotNull", "throttled": "kThrottledReplicas", "by-duration": "kOffsetReset"}
NUMBER = r"-?\d+(?:\.\d+)?"


class DefError(Exception):
    pass


@dataclass
class Config:
    name: str
    type: str
    default: str | None = None  # None = null
    low: str | None = None
    high: str | None = None
    also: str | None = None  # one value that is allowed besides the range
    choices: list = field(default_factory=list)
    any_case: bool = False
    checks: list = field(default_factory=list)
    mode: str = "kReadOnly"
    hidden: bool = False
    first: str = ""
    last: str = ""
    synonyms: list = field(default_factory=list)
    words: str | None = None


def parse_attributes(config, words):
    """Fills `config` from the words behind its default."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "=":
            config.synonyms = [name.strip() for name in " ".join(rest).split(",")]
            return
        if word == "was":
            span = re.fullmatch(r"(\d+\.\d+)\.\.(\d+\.\d+)", rest.pop(0) if rest else "")
            if not span:
                raise DefError("expected `was A..B`")
            config.first, config.last = span.groups()
        elif word == "hidden":
            config.hidden = True
        elif word in MODES:
            config.mode = MODES[word]
        elif word in CHECKS:
            config.checks.append(CHECKS[word])
        elif not parse_bounds(config, word):
            parse_choices(config, word)


def parse_bounds(config, word):
    if match := re.fullmatch(rf">=({NUMBER})", word):
        config.low = match[1]
    elif match := re.fullmatch(rf"<=({NUMBER})", word):
        config.high = match[1]
    elif match := re.fullmatch(rf"(?:({NUMBER}),)?({NUMBER})\.\.({NUMBER})", word):
        config.also, config.low, config.high = match.groups()
        if float(config.low) > float(config.high):
            raise DefError(f"the range {word} is empty")
    else:
        return False
    if config.type not in ("int", "short", "long", "double"):
        raise DefError(f"bounds on a {config.type}")
    return True


def parse_choices(config, word):
    if config.type not in ("string", "list") or not re.fullmatch(r"[\w.|-]+~?", word):
        raise DefError(f"cannot read `{word}`")
    config.any_case = word.endswith("~")
    config.choices = word.rstrip("~").split("|")


def parse_config(line):
    words = line.split()
    if len(words) < 3:
        raise DefError("expected: name type default")
    config = Config(words[0], words[1])
    if config.type not in TYPES:
        raise DefError(f"unknown type {config.type}")
    if words[2] != "null":
        config.default = "" if words[2] == '""' else words[2]
    parse_attributes(config, words[3:])
    return config


def parse(text):
    """Returns ({scope: [Config]}, {role: [name]}), both as they stand in the file."""
    scopes, foreign = {}, {}
    section, last = None, None
    for number, line in enumerate(text.split("\n"), 1):
        body = line.strip()
        try:
            if not body or line.startswith("#"):
                continue
            if match := re.fullmatch(r"scope (\S+)", line):
                if match[1] not in SCOPES:
                    raise DefError(f"unknown scope {match[1]}")
                section = scopes.setdefault(match[1], [])
            elif match := re.fullmatch(r"foreign (.+)", line):
                section = foreign.setdefault(match[1], [])
            elif section is None:
                raise DefError("outside of any section")
            elif any(section is names for names in foreign.values()):
                section += body.split()
            elif body.startswith('"'):
                if len(body) < 3 or body[-1] != '"' or last is None or last.words is not None:
                    raise DefError("a description stands alone under its name, in quotes")
                last.words = body[1:-1]
            else:
                last = parse_config(body)
                if any(other.name == last.name for other in section):
                    raise DefError(f"{last.name} stands here twice")
                section.append(last)
        except DefError as error:
            raise DefError(f"line {number}: {error}") from None
    check_synonyms(scopes)
    return scopes, foreign


def check_synonyms(scopes):
    broker = {config.name for config in scopes.get("broker", [])}
    for configs in scopes.values():
        for config in configs:
            for name in config.synonyms:
                if name not in broker:
                    raise DefError(f"{config.name}: no broker configuration {name}")


def cpp_text(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def cpp_list(names):
    """A span over a static array of string_views."""
    return "list<" + ", ".join(f"Word({cpp_text(name)})" for name in names) + ">" if names else "{}"


def cpp_number(text, config):
    if text is None:
        return "std::nullopt"
    return f"Bound{{{float(text)!r}, {cpp_text(text)}}}"


def cpp_config(config):
    fields = [
        f".name = {cpp_text(config.name)}",
        f".type = Type::k{config.type.capitalize()}",
        f".default_value = {cpp_text(config.default) if config.default is not None else 'std::nullopt'}",
        f".check = Check{{.low = {cpp_number(config.low, config)}, .high = {cpp_number(config.high, config)}, "
        f".also = {cpp_number(config.also, config)}, .choices = {cpp_list(config.choices)}, "
        f".any_case = {str(config.any_case).lower()}, .kinds = {' | '.join(f'Check::{c}' for c in config.checks) or '0'}}}",
        f".update = Update::{config.mode}",
        f".hidden = {str(config.hidden).lower()}",
        f".first_version = {cpp_text(config.first)}",
        f".last_version = {cpp_text(config.last)}",
        f".synonyms = {cpp_list(config.synonyms)}",
        f".documentation = {cpp_text(config.words) if config.words is not None else 'std::nullopt'}",
    ]
    return "    {" + ",\n     ".join(fields) + "},\n"


HEAD = """// Made by tools/schema/configs.py from schema/configs.def. Do not edit.
#include "config/definition.h"
#include "config/table.h"

namespace moldau::config {
namespace {

// Text as a template argument, so that a list of words is a static array in place.
template <std::size_t N>
struct Word {
  char text[N];
  constexpr Word(const char (&from)[N]) {  // NOLINT(google-explicit-constructor)
    for (std::size_t i = 0; i < N; ++i) text[i] = from[i];
  }
  constexpr std::string_view view() const { return {text, N - 1}; }
};
template <Word... W>
constexpr std::string_view words[] = {W.view()...};
template <Word... W>
constexpr std::span<const std::string_view> list{words<W...>};

"""


def cpp(scopes, foreign):
    out = [HEAD]
    for scope in SCOPES:
        configs = sorted(scopes.get(scope, []), key=lambda config: config.name)
        out.append(f"constexpr ConfigDef k{camel(scope)}[] = {{\n" + "".join(map(cpp_config, configs)) + "};\n\n")
    names = sorted((name, role) for role, names in foreign.items() for name in names)
    out.append("constexpr ForeignName kForeign[] = {\n")
    out += [f"    {{{cpp_text(name)}, {cpp_text(role)}}},\n" for name, role in names]
    out.append("};\n\n}  // namespace\n\n")
    out.append("std::span<const ConfigDef> definitions(Scope scope) {\n  switch (scope) {\n")
    out += [f"    case Scope::k{camel(scope)}: return k{camel(scope)};\n" for scope in SCOPES]
    out.append("  }\n  return {};\n}\n\n")
    out.append("std::span<const ForeignName> foreign_names() { return kForeign; }\n\n}  // namespace moldau::config\n")
    return "".join(out)


def camel(scope):
    return "".join(part.capitalize() for part in scope.split("-"))


def main(arguments):
    path = arguments[-1] if arguments[0] == "--check" else arguments[0]
    try:
        with open(path, encoding="utf-8") as source:
            scopes, foreign = parse(source.read())
    except DefError as error:
        sys.exit(f"{path}: {error}")
    if arguments[0] != "--check":
        with open(arguments[1], "w", encoding="utf-8") as target:
            target.write(cpp(scopes, foreign))


if __name__ == "__main__":
    main(sys.argv[1:])
