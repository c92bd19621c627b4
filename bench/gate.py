#!/usr/bin/env python3
"""The instruction gate: what a request costs the server, in numbers that a busy machine does not blur.

Five fixed replays are sent to a fresh server, once with N and once with 2N requests. The difference, divided by N, is
the cost of one request; start-up, set-up and shutdown fall out. User-space instructions are counted by callgrind,
system calls by strace. A replay that needs more than 5 % over the checked-in budget (budget.tsv) fails the gate; 15 %
where the bodies are larger than a socket takes at once, for how many calls that makes is the scheduler's affair.

  bench/gate.py                       compare build/release's server with the budget
  bench/gate.py --record              rewrite the budget from what is measured now
  bench/gate.py --self-test           try the gate itself on the canned broker
"""
import argparse, pathlib, re, shutil, subprocess, sys, tempfile, time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOLERANCE, BULK_TOLERANCE = 1.05, 1.15
TOPIC = "gate"


@dataclass(frozen=True)
class Replay:
    name: str
    requests: int  # N; a multiple of the burst
    load: tuple  # the loadgen's mode and options
    fill: tuple = ()  # sent before, as often in both runs
    bulk: bool = False  # more than a socket takes at once: how many calls that makes is the scheduler's affair


REPLAYS = (
    Replay("produce-one-record", 600, ("produce", "--records", "1", "--size", "100")),
    Replay("produce-128x1KiB", 150, ("produce", "--records", "128", "--size", "1024"), bulk=True),
    Replay("produce-pipelined", 1600, ("produce", "--records", "1", "--size", "100", "--depth", "16", "--burst")),
    Replay("fetch-page-cache", 150, ("fetch",), ("produce", "--records", "16", "--size", "1024", "--requests", "128"), bulk=True),
    Replay("metadata-mix", 600, ("mix",)),
)


@dataclass(frozen=True)
class Cost:
    instructions: float
    syscalls: float


class GateError(Exception):
    pass


# ---- budget ----

def read_budget(path):
    if not path.exists():
        return {}
    lines = [l.split("\t") for l in path.read_text().splitlines() if l and not l.startswith("#")]
    return {name: Cost(float(instructions), float(syscalls)) for name, instructions, syscalls in lines}


def write_budget(path, costs):
    head = "# What one request may cost the server: user-space instructions, system calls. bench/gate.py --record writes this.\n"
    path.write_text(head + "".join(f"{n}\t{c.instructions:.0f}\t{c.syscalls:.3f}\n" for n, c in costs.items()))


def is_bulk(name):
    return any(r.name == name and r.bulk for r in REPLAYS)


def judged(name):
    return ("instructions",) if is_bulk(name) else ("instructions", "syscalls")


def tolerance(name):
    """The instructions around calls vary with their number."""
    return BULK_TOLERANCE if is_bulk(name) else TOLERANCE


def excesses(budget, costs):
    """The lines to fail with; empty when every cost is within its budget."""
    found = []
    for name, cost in costs.items():
        allowed = budget.get(name)
        if allowed is None:
            found.append(f"{name}: no budget; after a look at the figures, run bench/gate.py --record")
            continue
        for what in judged(name):
            now, then = getattr(cost, what), getattr(allowed, what)
            if now > then * tolerance(name):
                found.append(f"{name}: {now:.6g} {what} a request, budget {then:.6g} ({(now / then - 1) * 100:+.1f} %)" if then else
                             f"{name}: {now:.6g} {what} a request, budget 0")
    return found


# ---- counters ----

def callgrind_total(text):
    """All instructions in a callgrind profile: the first number of its last totals or summary line."""
    found = re.findall(r"^(?:totals|summary):\s*(\d+)", text, re.M)
    if not found:
        raise GateError("expected a totals line in the callgrind profile, found none: did the server end by itself?")
    return int(found[-1])


def strace_total(text):
    """All calls in the table of strace -c: the fourth column of its total row (the third is absent there)."""
    for line in text.splitlines():
        fields = line.split()
        if fields and fields[-1] == "total":
            numbers = [f for f in fields[:-1] if re.fullmatch(r"\d+", f)]
            # seconds and shares have a point; what is left is usecs/call, calls and perhaps errors
            return int(numbers[1] if len(numbers) > 1 else numbers[0])
    raise GateError("expected a total row from strace, found none")


class Callgrind:
    name = "instructions"

    def __init__(self, directory):
        self.out = directory / "callgrind.out"

    def command(self, server):
        return ["valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={self.out}", *server]

    def begin(self, pid):
        """From here on: start-up wanders by more than small replays cost."""
        self.control("--zero", pid)

    def end(self, pid):
        self.control("--dump", pid)

    def control(self, what, pid):
        subprocess.run(["callgrind_control", what, str(pid)], check=True, capture_output=True, timeout=60)

    def total(self):
        return callgrind_total(self.out.with_name(self.out.name + ".1").read_text())


class Strace:
    name = "syscalls"

    def __init__(self, directory):
        self.out = directory / "strace.out"

    def command(self, server):
        # -D: the server stays our child, so that the signal to stop reaches it and not strace.
        return ["strace", "-D", "-f", "-c", "-o", str(self.out), *server]

    def begin(self, pid):
        pass  # start-up makes the same calls each time

    def end(self, pid):
        pass

    def total(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:  # the tracer writes when the server has ended
            if self.out.exists() and " total" in self.out.read_text():
                return strace_total(self.out.read_text())
            time.sleep(0.01)
        raise GateError("expected strace to write its table within 10 s, found none")


# ---- one run ----

class Runner:
    def __init__(self, server, loadgen, port, properties):
        self.server, self.loadgen, self.port, self.extra = server, loadgen, port, properties

    def load(self, *arguments, topic=TOPIC):
        command = [self.loadgen, "--port", str(self.port), "--topic", topic, "--json", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=170)
        if done.returncode != 0:
            raise GateError(done.stderr.strip() or f"{' '.join(command)} failed")

    def count(self, counter_type, replay, requests):
        with tempfile.TemporaryDirectory(prefix="moldau-gate-") as name:
            directory = pathlib.Path(name)
            properties = directory / "server.properties"
            (directory / "data").mkdir()
            properties.write_text(f"listeners=PLAINTEXT://127.0.0.1:{self.port}\nlog.dirs={directory}/data\n" + "".join(f"{p}\n" for p in self.extra))
            counter = counter_type(directory)
            with open(directory / "server.log", "w+") as log:
                process = subprocess.Popen(counter.command([*self.server, str(properties)]), stdout=log, stderr=subprocess.STDOUT)
                try:
                    self.wait_for_port(process)
                    self.drive(replay, requests, counter, process.pid)
                    process.terminate()
                    process.wait(timeout=60)
                except (GateError, subprocess.TimeoutExpired) as error:
                    log.seek(0)
                    raise GateError(f"{replay.name}: {error}\nthe server said:\n{log.read()[-2000:]}") from None
                finally:
                    if process.poll() is None:
                        process.kill()
                        process.wait()
            return counter.total()

    def wait_for_port(self, process):
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.load("probe", "--seconds", 1, topic="")  # no topic: the open port is enough
            except GateError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise

    def drive(self, replay, requests, counter, pid):
        self.load("create")
        if replay.fill:
            self.load(*replay.fill, "--seconds", 60)
        counter.begin(pid)
        self.load(*replay.load, "--seconds", 120, "--requests", requests)
        counter.end(pid)

    def cost(self, replay):
        per_request = {}
        for counter in (Callgrind, Strace):
            once = self.count(counter, replay, replay.requests)
            twice = self.count(counter, replay, 2 * replay.requests)
            per_request[counter.name] = (twice - once) / replay.requests
        return Cost(**per_request)


def without_debug_info(program, directory):
    """A copy that Debian 12's valgrind can read: it gives up on the DWARF 5 that clang writes."""
    strip = shutil.which("llvm-strip-19") or shutil.which("strip")
    copy = f"{directory}/{pathlib.Path(program).name}"
    subprocess.run([strip, "--strip-debug", "-o", copy, program], check=True)
    return copy


def measure(runner, only):
    costs = {}
    print(f"{'replay':<22}{'instructions':>14}{'syscalls':>10}   a request")
    for replay in REPLAYS:
        if only and replay.name not in only:
            continue
        costs[replay.name] = cost = runner.cost(replay)
        print(f"{replay.name:<22}{cost.instructions:>14,.0f}{cost.syscalls:>10.3f}", flush=True)
    return costs


def self_test(runner):
    """The canned broker costs the same twice, passes its own budget, and fails a budget that is 6 % tighter. It polls,
    receives and sends once for a request, or for a burst of 16: that many system calls must have been counted."""
    first, second = measure(runner, ()), measure(runner, ())
    problems = excesses(first, second)
    tight = {n: Cost(c.instructions / (tolerance(n) + 0.01), c.syscalls / (tolerance(n) + 0.01)) for n, c in second.items()}
    if len(excesses(tight, second)) != sum(len(judged(r.name)) for r in REPLAYS):
        problems.append("a budget exceeded by 1 % more than is tolerated was not noticed everywhere")
    for name, cost in second.items():
        known = 3 / 16 if name == "produce-pipelined" else 3
        if not known / TOLERANCE <= cost.syscalls <= known * TOLERANCE:
            problems.append(f"{name}: counted {cost.syscalls:.3f} system calls a request, expected {known:.3f}")
    return problems


def gate(a, runner):
    budget = pathlib.Path(a.budget)
    costs = measure(runner, set(filter(None, a.only.split(","))))
    if a.record:
        write_budget(budget, {**read_budget(budget), **costs})
    return excesses(read_budget(budget), costs)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=str(ROOT / "build/release"), help="build directory (%(default)s)")
    p.add_argument("--server", help="server command; the properties file is appended (BUILD/src/server/moldau-server)")
    p.add_argument("--property", action="append", default=[], help="a further line for the properties file")
    p.add_argument("--budget", default=str(ROOT / "bench/budget.tsv"))
    p.add_argument("--port", type=int, default=23950)
    p.add_argument("--only", default="", help="comma-separated replays")
    p.add_argument("--record", action="store_true")
    p.add_argument("--self-test", action="store_true")
    return p.parse_args()


def main():
    a = arguments()
    canned = f"{a.build}/bench/canned-broker"
    server = (canned if a.self_test else a.server or f"{a.build}/src/server/moldau-server").split()
    loadgen = f"{a.build}/bench/moldau-loadgen"
    for needed in ("valgrind", "strace", server[0], loadgen):
        if not shutil.which(needed):
            sys.exit(f"bench/gate.py: expected to find {needed}, it is not there (tools/install-deps bench; make build)")
    with tempfile.TemporaryDirectory(prefix="moldau-gate-") as directory:
        runner = Runner([without_debug_info(server[0], directory), *server[1:]], loadgen, a.port, a.property)
        try:
            problems = self_test(runner) if a.self_test else gate(a, runner)
        except GateError as error:
            sys.exit(f"bench/gate.py: {error}")
    if problems:
        sys.exit("\n".join(["bench/gate.py: over budget", *problems]))


if __name__ == "__main__":
    main()
