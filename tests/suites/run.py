#!/usr/bin/env python3
"""Runs the test suites of other clients against a broker of its own and compares with what they said of Apache Kafka.

  tests/suites/run.py                          all suites on Moldau: nothing that passes on Kafka may fail
  tests/suites/run.py --quick                  of the suites that are soon built what took Kafka least time: under five minutes
  tests/suites/run.py --suite librdkafka,franz-go --only 0030,TestGroupETL
  tests/suites/run.py --broker kafka --record  Kafka's own results, into tests/suites/kafka-4.3.1.tsv
  tests/suites/run.py --write                  puts the pass rates of both brokers into docs/compatibility.md

The tests run in a network of their own (unshare), where the loopback has a second address and port 9092 is free.
"""
import argparse, os, shutil, subprocess, sys

import results
from brokers import KAFKA, Judged
from franz_go import FranzGo
from librdkafka import Librdkafka, LibrdkafkaConsumer
from node_rdkafka import NodeRdkafka
from rust_rdkafka import RustRdkafka
from suite import CACHE, FAILED, HERE, PASSED, SKIPPED, Outcome

SUITES = [Librdkafka, LibrdkafkaConsumer, FranzGo, NodeRdkafka, RustRdkafka]
# With --quick: of these suites, which are soon built, units that took Kafka no longer, until a suite has that many seconds.
QUICK, QUICK_UNIT_S, QUICK_SUITE_S = ("librdkafka", "librdkafka consumer", "franz-go"), 6, 60
INSIDE = "MOLDAU_SUITES_INSIDE"


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--broker", choices=("moldau", "kafka"), default="moldau")
    p.add_argument("--suite", metavar="NAME,...", help=", ".join(s.name for s in SUITES))
    p.add_argument("--only", metavar="UNIT,...", help="only these units: test numbers, tests, spec files")
    p.add_argument("--quick", action="store_true")
    p.add_argument("--record", action="store_true", help="keep Kafka's results in the repository")
    p.add_argument("--write", action="store_true", help="write docs/compatibility.md")
    p.add_argument("--tries", type=int, default=2, help="how often a unit that fails is run (other load on the machine fails tests with deadlines)")
    options = p.parse_args()
    if options.record and options.broker != "kafka":
        p.error("--record keeps Kafka's results: --broker kafka")
    return options


def chosen(options):
    names = options.suite.split(",") if options.suite else QUICK if options.quick else [s.name for s in SUITES]
    if unknown := set(names) - {s.name for s in SUITES}:
        raise SystemExit(f"unknown suite {', '.join(unknown)}; known: {', '.join(s.name for s in SUITES)}")
    return [s() for s in SUITES if s.name in names]


def prepared(suites):
    """Those that could be installed and built; of the others it says why not."""
    ready = []
    for suite in suites:
        try:
            suite.prepare()
            ready.append(suite)
        except SystemExit as why:
            print(f"failed  {suite.name}: {why}", flush=True)
    return ready


def in_own_network(suites):
    """Runs this program again where the loopback has 127.0.0.2 too: with 127.0.0.1 alone, glibc's AI_ADDRCONFIG finds no names."""
    inner = 'ip link set lo up && ip addr add 127.0.0.2/8 dev lo && exec "$@"'
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", "--net", *user, "--", "sh", "-c", inner, "sh", sys.executable, os.path.abspath(__file__), *sys.argv[1:]]
    return subprocess.run(command, env={**os.environ, INSIDE: ",".join(s.name for s in suites)}).returncode


def units_of(suite, options, recorded):
    units = suite.units()
    if options.only:
        units = [u for u in units if u in options.only.split(",")]
    if not options.quick:
        return units
    took, bad = {}, set()
    for line in recorded:
        if line.suite == suite.name:
            took[line.unit] = took.get(line.unit, 0) + line.outcome.seconds
            bad |= {line.unit} if line.outcome.result != PASSED else set()
    quick, total = [], 0
    for unit in sorted((u for u in units if u in took and u not in bad), key=lambda u: took[u]):
        total += took[unit]
        if took[unit] <= QUICK_UNIT_S and total <= QUICK_SUITE_S:
            quick.append(unit)
    return [u for u in units if u in quick]


def run_unit(suite, unit, broker, logs, tries):
    """The outcomes of the last try; one that went well only then says so."""
    for number in range(1, tries + 1):
        found = suite.run(unit, broker.address, logs / f"{unit.replace('/', '_').replace(': ', '.')}.{number}.log")
        if not broker.running():
            for outcome in found:
                outcome.result, outcome.why = FAILED, "the broker ended"
            broker.again()
        if not any(o.result == FAILED for o in found):
            break
    for outcome in found if number > 1 else ():
        outcome.why = outcome.why or f"at try {number}"
    return found


def run_suite(suite, options, recorded, keep):
    """Its lines; keep() is told of each unit's."""
    suite.broker, units = options.broker, units_of(suite, options, recorded)
    logs = CACHE / "logs" / f"{options.broker}-{suite.name.replace(' ', '-')}"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    lines = []
    with Judged(options.broker, suite) as broker:
        for unit in units:
            found = [results.Line(suite.name, unit, o) for o in run_unit(suite, unit, broker, logs, options.tries)]
            for outcome in (l.outcome for l in found):
                print(f"{outcome.result:8}{suite.name}: {outcome.test} ({outcome.seconds:.1f} s) {outcome.why}", flush=True)
            keep(found)
            lines += found
    if not options.only and not options.quick:
        lines += [results.Line(suite.name, unit, Outcome(unit, SKIPPED, why)) for unit, why in suite.left_out.items()]
        keep(lines)
    return lines


def judge(lines):
    """Prints where the two differ; the closing line; the exit code."""
    rows = results.compared(results.load(results.RECORDED), lines)
    for row in (r for r in rows if r.kafka != r.moldau):
        print(f"{'KNOWN' if row.known else 'WORSE' if row.worse else 'differs'}  {row.suite}: {row.test}  Kafka {row.kafka}, Moldau {row.moldau}  {row.why}")
    passed, worse = sum(r.moldau == PASSED for r in rows), sum(r.worse and not r.known for r in rows)
    print(f"{passed} passed, {worse} failed, {len(rows) - passed - worse} skipped")
    return rows, 1 if worse or not passed else 0


def main():
    options = arguments()
    suites = [s for s in chosen(options) if not s.missing()]
    if INSIDE not in os.environ:
        if subprocess.run([HERE.parent / "interop/setup", "kafka", KAFKA]).returncode:
            return 1
        for suite in chosen(options):
            print(f"skipped: {suite.name}: {suite.missing()}" if suite.missing() else f"{suite.name}: {suite.source}", flush=True)
        ready = prepared(suites)
        return in_own_network(ready) or int(len(ready) < len(suites)) if ready else 1
    suites = [s for s in suites if s.name in os.environ[INSIDE].split(",")]
    recorded, lines = results.load(results.RECORDED), []
    def keep(found):
        for path in [CACHE / f"results-{options.broker}.tsv"] + ([results.RECORDED] if options.record else []):
            results.save(path, results.merged(path, found))

    for suite in suites:
        lines += run_suite(suite, options, recorded, keep)
    if options.broker == "kafka":
        told = [l.outcome.result for l in lines]
        print(f"{told.count(PASSED)} passed, {told.count(FAILED)} failed, {told.count(SKIPPED)} skipped")
        return 0 if told.count(PASSED) else 1
    rows, code = judge(lines)
    if options.write:
        results.write_page(results.compared(recorded, results.load(CACHE / "results-moldau.tsv")), {s.name: s.source for s in SUITES})
    return code


if __name__ == "__main__":
    sys.exit(main())
