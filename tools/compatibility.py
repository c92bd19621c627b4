#!/usr/bin/env python3
"""Writes docs/compatibility.md's table of APIs from what the broker really serves (src/broker/api_table.cc) and what the
protocol has (schema/). --check: exits 1 if the page is not what it would write.

python3 tools/compatibility.py [--check]
"""
import pathlib, re, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/compatibility.md"
BEGIN, END = "<!-- table of APIs: tools/compatibility.py -->", "<!-- end of table -->"
# What a key that is not served belongs to, by the first key of each run.
LATER = {"transactions": {24, 25, 26, 27, 28, 65, 66},
         "security": {17, 29, 30, 31, 36, 38, 39, 40, 41, 50, 51}, "quotas": {48, 49},
         "share groups": set(range(76, 80)) | set(range(83, 88)) | {90, 91, 92}, "streams groups": {88, 89},
         "clusters": {4, 5, 6, 7, 43, 45, 46, 52, 53, 54, 56, 58, 59, 62, 63, 64, 67, 70, 73, 80, 81, 82}}
# The newest version of these is in Kafka 4.3's sources and not final: no broker advertises it (unstable.api.versions.enable aside).
NOT_FINAL = {"InitProducerId": 6}
# Answered, but not in ApiVersions.
UNTOLD = dict.fromkeys(("GetTelemetrySubscriptions", "PushTelemetry"), "not in ApiVersions: no receiver, as in Kafka without one")


def schema():
    """{key: (name, min, max)} of every API of Kafka 0.8 to 4.3, as its brokers advertise them"""
    found = {}
    for path in sorted((ROOT / "schema").glob("[0-9]*.def")):
        for line in path.read_text().splitlines():
            if head := re.match(r"api (\w+) (\d+)\s+versions (\d+)(?:-(\d+))?", line):
                newest = int(head[4] or head[3])
                found[int(head[2])] = (head[1], int(head[3]), newest - (NOT_FINAL.get(head[1]) == newest))
    return found


def served():
    """{name: (min, max)} of the broker's table"""
    text = (ROOT / "src/broker/api_table.cc").read_text()
    return {m[1]: (int(m[2]), int(m[3])) for m in re.finditer(r"\{ApiKey::k(\w+), (\d+), (\d+), api::", text)}


def table():
    have, rows = served(), ["| key | API | in Kafka 0.8–4.3 | served | |", "|---|---|---|---|---|"]
    for key, (name, low, high) in sorted(schema().items()):
        known = f"{low}–{high}" if low != high else f"{low}"
        mine = have.get(name)
        shown = (f"{mine[0]}–{mine[1]}" if mine[0] != mine[1] else f"{mine[0]}") if mine else "—"
        why = "" if mine else next((f"with {what}" for what, keys in LATER.items() if key in keys), "")
        if mine and name in UNTOLD:
            why = UNTOLD[name]
        if name in NOT_FINAL:
            why = f"{NOT_FINAL[name]} is not final in Kafka 4.3 and not advertised"
        rows.append(f"| {key} | {name} | {known} | {shown} | {why} |")
    return "\n".join(rows)


def main():
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    wanted = before + BEGIN + "\n" + table() + "\n" + END + rest.split(END)[1]
    if "--check" in sys.argv:
        if page != wanted:
            print("docs/compatibility.md does not show what the broker serves: run tools/compatibility.py")
        partly = [name for _, (name, *known) in schema().items() if served().get(name, tuple(known)) != tuple(known)]
        if partly:
            print("served, but not in every version that Kafka has: " + ", ".join(partly))
        return page != wanted or bool(partly)
    PAGE.write_text(wanted)


if __name__ == "__main__":
    sys.exit(main())
