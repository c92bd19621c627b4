"""Results of runs as text, and what two brokers' results say together.

A file of results has a line a test: suite, unit, test, result, seconds, why; separated by tabs, sorted as they ran."""
import collections, dataclasses, re

from suite import FAILED, HERE, PASSED, ROOT, SKIPPED, Outcome

RECORDED = HERE / "kafka-4.3.1.tsv"
REASONS = HERE / "reasons.tsv"
PAGE = ROOT / "docs/compatibility.md"
BEGIN, END = "<!-- suites: tests/suites/run.py --write -->", "<!-- end of suites -->"


@dataclasses.dataclass
class Line:
    suite: str
    unit: str
    outcome: Outcome


def load(path):
    lines = []
    for text in path.read_text().splitlines() if path.exists() else []:
        suite, unit, test, result, seconds, why = text.split("\t")
        lines.append(Line(suite, unit, Outcome(test, result, why, float(seconds))))
    return lines


def save(path, lines):
    path.write_text("".join("\t".join((l.suite, l.unit, l.outcome.test, l.outcome.result, f"{l.outcome.seconds:.1f}",
                                       re.sub(r"\s+", " ", l.outcome.why))) + "\n" for l in lines))


def merged(path, lines):
    """What is in the file, with the units of `lines` in place of what was there of them."""
    again = {(l.suite, l.unit) for l in lines}
    return sorted([l for l in load(path) if (l.suite, l.unit) not in again] + lines, key=lambda l: (l.suite, l.unit))


def reasons():
    """{(suite, test): why it may fail on Moldau where it passes on Kafka}"""
    rows = [l.split("\t") for l in REASONS.read_text().splitlines() if l and not l.startswith("#")] if REASONS.exists() else []
    return {(suite, test): why for suite, test, why in rows}


@dataclasses.dataclass
class Row:
    suite: str
    test: str
    kafka: str
    moldau: str
    why: str

    @property
    def worse(self):
        return self.kafka == PASSED and self.moldau in (FAILED, "not run")

    @property
    def known(self):
        return bool(self.worse and (self.suite, self.test) in reasons())


def compared(kafka, moldau):
    """Rows for every test that either broker has of the units that ran on Moldau."""
    units = {(l.suite, l.unit) for l in moldau}
    theirs = {(l.suite, l.outcome.test): l.outcome for l in kafka if (l.suite, l.unit) in units}
    ours = {(l.suite, l.outcome.test): l.outcome for l in moldau}
    rows, why = [], reasons()
    for key in sorted(set(theirs) | set(ours)):
        their, our = theirs.get(key), ours.get(key)
        said = (our.why if our else "") or (their.why if their and their.result != PASSED else "")
        rows.append(Row(*key, their.result if their else "not run", our.result if our else "not run", why.get(key) or said))
    return rows


def markdown(rows, sources):
    out = ["| suite | Kafka 4.3.1 | Moldau | fails on Moldau alone |", "|---|---|---|---|"]
    for suite, source in sources.items():
        mine = [r for r in rows if r.suite == suite]
        if mine:
            rate = lambda which: "{} of {}".format(*count(mine, which))
            out.append(f"| {suite} ({source}) | {rate('kafka')} | {rate('moldau')} | {sum(r.worse for r in mine)} |")
    worse = [r for r in rows if r.worse]
    if worse:
        out += ["", "| suite | passes on Kafka, fails on Moldau | why |", "|---|---|---|"]
        out += [f"| {r.suite} | {r.test} | {r.why.replace('|', '/')} |" for r in worse]
    return "\n".join(out)


def count(rows, which):
    told = collections.Counter(getattr(r, which) for r in rows)
    return told[PASSED], told[PASSED] + told[FAILED]


def write_page(rows, sources):
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + BEGIN + "\n" + markdown(rows, sources) + "\n" + END + rest.split(END)[1])
