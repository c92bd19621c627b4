"""What a suite is to run.py, and the processes that suites start."""
import dataclasses, os, pathlib, shutil, signal, subprocess, time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / "build/suites"
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
LINGER_S = 5


@dataclasses.dataclass
class Outcome:
    """What one test of a suite said. `why`: of a failure or a skip, one line."""
    test: str
    result: str
    why: str = ""
    seconds: float = 0.0


class Suite:
    """One foreign test suite. A *unit* is what runs in one process: one test where the suite's programs can be told to run
    just one, else the smallest part that they can. Names of tests are the suite's own; a unit's tests carry its name in front."""
    name = ""
    source = ""          # package and version, as the tables show it
    properties = {}      # of the broker, beside those that all suites get (brokers.py)
    topics = ()          # that are to be there before, with one partition each
    limit_s = 300        # for one unit
    left_out = {}        # {unit: why it is not run}
    tools = ()           # programs that have to be on the machine
    broker = "moldau"    # or "kafka": which one it runs against, set by run.py

    def __init__(self):
        self.folder = CACHE / self.name.split()[0]

    def missing(self):
        """Why it cannot run on this machine; or ''."""
        absent = [t for t in (*self.tools, "unshare", "ip") if shutil.which(t) is None]
        return f"no {', '.join(absent)} on this machine" if absent else ""

    def prepare(self):
        """Installs and builds by name from the package registries, once; fails with the end of the log."""
        raise NotImplementedError

    def units(self):
        """The units in their order."""
        raise NotImplementedError

    def run(self, unit, address, log):
        """Runs one unit against the broker at `address`, writing what it prints to the file `log`; its outcomes."""
        raise NotImplementedError

    # ---- for the suites -----------------------------------------------------------------------------------------------------

    def once(self, step, command, cwd=None, env=None, limit_s=3000):
        """Runs a step of prepare() unless it has succeeded before with the same words."""
        stamp, log = self.folder / f".{step}", self.folder / f"{step}.log"
        words = "\n".join(map(str, command))
        if stamp.exists() and stamp.read_text() == words:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        print(f"{self.name}: {step}", flush=True)
        code, _ = process(command, log, limit_s, cwd or self.folder, env)
        if code != 0:
            raise SystemExit(f"{self.name}: {step} failed ({code}); the end of {log}:\n" + last_lines(log, 15))
        stamp.write_text(words)

    def outcome(self, test, code, log, limit_s, seconds, why):
        """That of a process that ran one test: by its exit code."""
        if code is None:
            return Outcome(test, FAILED, f"no end within {limit_s} s", seconds)
        return Outcome(test, FAILED, why(log) or f"exit code {code}", seconds) if code else Outcome(test, PASSED, "", seconds)


def process(command, log, limit_s, cwd, env=None, done=None):
    """(exit code, seconds); the code is None when it had to be ended. Its whole process group ends with it.
    `done`: a file whose appearance says that all is told; what then does not end within LINGER_S is ended."""
    begin = time.monotonic()
    with open(log, "wb") as output:
        child = subprocess.Popen([str(c) for c in command], cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                                 stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        code = ended(child, begin + limit_s, done)
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
    return code, time.monotonic() - begin


def ended(child, deadline, done):
    """The exit code, or None after the deadline."""
    while time.monotonic() < deadline:
        try:
            return child.wait(1)
        except subprocess.TimeoutExpired:
            if done and pathlib.Path(done).exists():
                deadline, done = min(deadline, time.monotonic() + LINGER_S), None
    return None


def text_of(log):
    return pathlib.Path(log).read_text(errors="replace") if pathlib.Path(log).exists() else ""


def last_lines(log, count):
    return "\n".join(text_of(log).splitlines()[-count:])
