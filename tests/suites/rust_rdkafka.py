"""The integration tests of Rust's rdkafka, from crates.io. Transactions are left out."""
import os, pathlib, re, shutil, subprocess

from suite import FAILED, PASSED, SKIPPED, Outcome, Suite, process, text_of

CRATE, VERSION = "rdkafka", "0.39.0"
MANIFEST = f"""[package]
name = "suites"
version = "0.1.0"
edition = "2021"

[dependencies]
{CRATE} = "={VERSION}"
"""


class RustRdkafka(Suite):
    name = "rust-rdkafka"
    source = f"crates.io {CRATE} {VERSION}"
    properties = {"node.id": 0, "num.partitions": 3}  # it asks for the settings of broker 0, and counts partitions
    left_out = {"test_transactions": "transactions", "test_topic_partition_list": "needs no broker"}
    tools = ("cargo", "make", "g++")
    limit_s = 240

    def __init__(self):
        super().__init__()
        self.tree = self.folder / CRATE

    def prepare(self):
        (self.folder / "src").mkdir(parents=True, exist_ok=True)
        (self.folder / "Cargo.toml").write_text(MANIFEST)
        (self.folder / "src/lib.rs").touch()
        self.once("install", ["cargo", "fetch"])
        if not self.tree.exists():  # tests of a dependency cannot be built in place
            home = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo"))
            shutil.copytree(next((home / "registry/src").glob(f"*/{CRATE}-{VERSION}")), self.tree)
        self.once("build", ["cargo", "test", "--no-run", "--tests", "-j2", "--target-dir", self.folder / "target"], self.tree)

    def programs(self):
        """{name: program}: the newest of each."""
        found = {}
        for path in sorted((self.folder / "target/debug/deps").glob("test_*-*"), key=lambda p: p.stat().st_mtime):
            if not path.suffix and os.access(path, os.X_OK):
                found[path.name.rsplit("-", 1)[0]] = path
        return found

    def units(self):
        found = []
        for name, program in sorted(self.programs().items()):
            if name not in self.left_out:
                listed = subprocess.run([program, "--list"], text=True, capture_output=True, check=True).stdout
                found += [f"{name}: {test}" for test in re.findall(r"^(\S+): test$", listed, re.M)]
        return found

    def run(self, unit, address, log):
        name, test = unit.split(": ")
        code, seconds = process([self.programs()[name], "--exact", test, "--test-threads=1", "--nocapture"], log, self.limit_s, self.tree,
                                {"KAFKA_HOST": address, "KAFKA_VERSION": "4.3.1", "RUST_LOG": "off", "RUST_BACKTRACE": "0"})
        text = text_of(log)
        if code == 0 and re.search(r"^test result: ok\. 0 passed; 0 failed; 1 ignored", text, re.M):
            return [Outcome(unit, SKIPPED, "ignored in the suite", seconds)]
        if code == 0 and not re.search(r"^test result: ok\. 1 passed", text, re.M):
            return [Outcome(unit, FAILED, "it ran no test", seconds)]
        return [self.outcome(unit, code, log, self.limit_s, seconds, self.reason)]

    @staticmethod
    def reason(log):
        found = re.search(r"panicked at .*?:\n(.*)", text_of(log))
        return found[1][:300] if found else ""
