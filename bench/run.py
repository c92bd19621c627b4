#!/usr/bin/env python3
"""Moldau and Apache Kafka side by side: the same loads, in turn, and the table in docs/performance.md.

  bench/run.py                         everything, three pairs (about an hour and a half)
  bench/run.py --quick                 one short pair of everything, small; for trying: prints, leaves the table alone
  bench/run.py --only fetch,e2e-1k     these rows; the table's other lines stay
  bench/run.py --list                  the rows
"""
import argparse, datetime, json, os, pathlib, platform, re, subprocess, sys, time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import brokers, table
from brokers import CACHE, ROOT, BenchError, Kafka, Loadgen, Moldau
from rows import ROWS, SECTIONS, Context


class Session:
    """One broker, and what is measured on it."""

    def __init__(self, options, broker):
        self.options, self.broker = options, broker
        self.load = Loadgen(options.loadgen, broker, options.cpu)
        warmup = options.warmup_kafka if broker.name == "kafka" else options.warmup_moldau
        self.context = Context(broker, self.load, options.seconds, warmup, options.scale, options.settle)

    def measure(self, row, results):
        at = time.monotonic()
        try:
            figures = row.function(self.context)
            for m in row.measures:
                value = figures[m.key] / 1000 if m.unit == "ms" and m.key.endswith("_us") else figures[m.key]
                results.setdefault((row.id, m.label), {}).setdefault(self.broker.name, []).append(value)
                print(f"  {self.broker.name:<7} {m.label:<55} {table.number(value):>10} {m.unit}", flush=True)
            with open(CACHE / "runs.jsonl", "a") as raw:
                raw.write(json.dumps({"row": row.id, "broker": self.broker.name, "version": self.broker.version, "at": time.time(), **figures}) + "\n")
        except (BenchError, OSError, KeyError) as error:
            print(f"  {self.broker.name:<7} {row.id}: no figure after {time.monotonic() - at:.0f} s: {error!r}", flush=True)

    def steady(self, rows, results):
        """One start for all rows that want a running broker."""
        try:
            self.broker.start()
            self.load.wait_for_port()
            for row in rows:
                self.measure(row, results)
        except BenchError as error:
            print(f"  {self.broker.name}: {error}", flush=True)
        finally:
            self.broker.stop()
            self.broker.wipe()

    def own(self, row, results):
        try:
            self.measure(row, results)
        finally:
            self.broker.stop()
            self.broker.wipe()


def measure_all(options, rows, sides):
    """Broker after broker within each pair: A B A B A B, so that a change of the machine's mood meets both."""
    results = {}
    steady = [r for r in rows if r.steady]
    for pair in range(options.pairs if steady else 0):
        print(f"pair {pair + 1} of {options.pairs}: steady work", flush=True)
        for broker in sides:
            Session(options, broker).steady(steady, results)
    for row in (r for r in rows if not r.steady):
        print(row.id, flush=True)
        for _ in range(options.pairs):
            for broker in sides:
                Session(options, broker).own(row, results)
    return results


def machine():
    info = open("/proc/cpuinfo").read()
    model = re.search(r"^model name\s*:\s*(.*)$", info, re.M)
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {memory_gb:.0f} GB, Linux {platform.release().split('-')[0]}"


def shortened(options):
    """Its figures are no match for the labels of the table, or too noisy to stand there."""
    return options.seconds < 10 or options.scale < 1 or options.pairs < 3


def preface(options, sides, date):
    """One line about the machine, and one about each broker that took part."""
    lines = [f"Last run {date} on {machine()}; load generator on CPU {options.cpu}."]
    if shortened(options):
        lines[0] += f" Shortened: {options.pairs} pair(s), {options.seconds:g} s a run, volumes × {options.scale:g}."
    for b in sides:
        java = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr.splitlines()[0] if b.name == "kafka" else ""
        lines.append(f"Apache Kafka {b.version}, {java}, {' '.join(brokers.HEAP)}." if b.name == "kafka" else f"Moldau {b.version}.")
    return lines


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=str(ROOT / "build/release"))
    p.add_argument("--moldau", help="the server's program (BUILD/src/server/moldau-server)")
    p.add_argument("--kafka-only", action="store_true")
    p.add_argument("--moldau-only", action="store_true")
    p.add_argument("--only", default="", help="comma-separated row ids")
    p.add_argument("--list", action="store_true")
    p.add_argument("--quick", action="store_true", help="one pair, 3 s a run, volumes × 0.02")
    p.add_argument("--pairs", type=int, default=3)
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--scale", type=float, default=1, help="of data volumes and partition counts in the heavy rows")
    p.add_argument("--settle", type=float, default=15, help="seconds of rest before memory is read")
    p.add_argument("--warmup-kafka", type=float, default=10)
    p.add_argument("--warmup-moldau", type=float, default=2)
    p.add_argument("--port", type=int, default=23900)
    p.add_argument("--cpu", type=int, default=os.cpu_count() - 1, help="of the load generator")
    p.add_argument("--data", default=str(CACHE / "data"))
    p.add_argument("--table", help="write into this file; by default docs/performance.md, and a shortened run prints only")
    p.add_argument("--no-table", action="store_true", help="print only")
    a = p.parse_args()
    if a.quick:
        a.pairs, a.seconds, a.scale, a.settle, a.warmup_kafka, a.warmup_moldau = 1, 3, 0.02, 3, 5, 1
    return a


def main():
    a = arguments()
    if a.list:
        return print("\n".join(f"{r.id:<18}{r.section:<22}{r.measures[0].label}" for r in ROWS))
    wanted = set(filter(None, a.only.split(",")))
    if unknown := wanted - {r.id for r in ROWS}:
        sys.exit(f"bench/run.py: unknown rows {', '.join(sorted(unknown))}; bench/run.py --list shows them")
    rows = [r for r in ROWS if not wanted or r.id in wanted]
    CACHE.mkdir(parents=True, exist_ok=True)
    brokers.raise_file_limit()
    subprocess.run(["cmake", "--build", a.build, "--target", "moldau-loadgen"], check=True, stdout=subprocess.DEVNULL)
    a.loadgen = f"{a.build}/bench/moldau-loadgen"
    sides = [] if a.moldau_only else [Kafka(a.port, a.data)]
    sides += [] if a.kafka_only else [Moldau(a.port + 10, a.data, a.moldau or f"{a.build}/src/server/moldau-server")]
    results = measure_all(a, rows, sides)
    date = datetime.date.today().isoformat()
    text = preface(a, sides, date)
    if a.no_table or (shortened(a) and not a.table):
        return print(table.render(ROWS, SECTIONS, results, {}, text, date))
    path = pathlib.Path(a.table or ROOT / "docs/performance.md")
    table.write(path, ROWS, SECTIONS, results, text, date)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
