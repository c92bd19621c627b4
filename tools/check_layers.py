#!/usr/bin/env python3
"""Checks the rules that the tree lives by; prints every breach as file:line: text and exits 1 if there is one.

  arrows   a folder of src/ includes only what tools/layers.txt lets it
  purity   core folders use no socket, file stream, clock, thread, mutex or random source of their own
  lengths  printed as a report: files above 400 lines, functions above 70 (they do not fail the run)
"""
import pathlib, re, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_FILE, MAX_FUNCTION = 400, 70
# Headers and names that would bring the outside world into the core.
IMPURE = re.compile(
    r"#include <(boost/asio|thread|mutex|shared_mutex|condition_variable|future|fstream|filesystem|random|ctime|unistd\.h|fcntl\.h|sys/|netinet/|poll\.h|time\.h)"
    r"|std::chrono::(system|steady|high_resolution)_clock|\bstd::(thread|mutex|jthread)\b|\b(gettimeofday|clock_gettime|rand|srand)\(")


def read_layers(text):
    """{name: (is_core, direct arrows)}"""
    layers = {}
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if line:
            head, _, arrows = line.partition(":")
            name, *marks = head.split()
            layers[name] = ("core" in marks, arrows.split())
    return layers


def reachable(layers, name):
    seen, todo = {name}, [name]
    while todo:
        for arrow in layers.get(todo.pop(), (False, []))[1]:
            if arrow not in seen:
                seen.add(arrow)
                todo.append(arrow)
    return seen


def breaches(layers, folder, path, text):
    """Yields (line number, what is wrong) for one file of src/folder."""
    allowed, core = reachable(layers, folder), layers[folder][0]
    # Tests, their fixtures and micro-benchmarks may bring their own world.
    test = path.name.endswith(("_test.cc", "_test.h", "_fixture.h", "_bench.cc"))
    for number, line in enumerate(text.splitlines(), 1):
        include = re.match(r'#include "([a-z_]+)/', line)
        if include and include[1] in layers and include[1] not in allowed and not (test and include[1] in ("simenv", "os")):
            yield number, f"src/{folder} may not include {include[1]}/ (tools/layers.txt)"
        if core and not test and (found := IMPURE.search(line)):
            yield number, f"core folder uses {found[0].strip()}: go through src/env"


def long_functions(text):
    """Yields (line number, length) of function bodies at namespace or class level that are too long; by indentation of the closing brace."""
    start = None
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"( {0,2})[A-Za-z~].*[)\w] *(const|noexcept|override| )*\{$", line) and not re.match(r"\s*(namespace|class|struct|enum|union|extern)\b", line):
            start = (number, len(line) - len(line.lstrip()))
        elif start and re.match(r" *\}", line) and len(line) - len(line.lstrip()) == start[1]:
            if number - start[0] > MAX_FUNCTION:
                yield start[0], number - start[0]
            start = None


def main():
    layers = read_layers((ROOT / "tools/layers.txt").read_text())
    bad, report = 0, []
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix not in (".cc", ".h"):
            continue
        folder, text, shown = path.relative_to(ROOT / "src").parts[0], path.read_text(), path.relative_to(ROOT)
        if folder not in layers:
            print(f"{shown}:1: folder {folder} has no line in tools/layers.txt")
            bad += 1
            continue
        for number, wrong in breaches(layers, folder, path, text):
            print(f"{shown}:{number}: {wrong}")
            bad += 1
        lines = text.count("\n")
        if lines > MAX_FILE:
            report.append(f"  {shown}: {lines} lines")
        report += [f"  {shown}:{number}: function of {length} lines" for number, length in long_functions(text)]
    if report:
        print(f"long (files > {MAX_FILE} lines, functions > {MAX_FUNCTION}):", *report, sep="\n")
    print(f"layers: {bad} breaches")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
