"""node-rdkafka's end-to-end specs under mocha. A unit is a spec file: its tests build on one another."""
import json, os, pathlib, re, shutil

from suite import FAILED, PASSED, SKIPPED, Outcome, Suite, last_lines, process, text_of

PACKAGE, MOCHA, GYP = "node-rdkafka@3.6.1", "mocha@10", "node-gyp@11"


class NodeRdkafka(Suite):
    name = "node-rdkafka"
    source = f"npm {PACKAGE}, e2e"
    properties = {"num.partitions": 1}  # it counts partitions
    topics = ("test", "test2", "test3", "test4", "test5", "test6")
    tools = ("npm", "node", "make", "g++")
    limit_s = 300
    left_out = {"producer-transaction": "transactions"}

    def __init__(self):
        super().__init__()
        self.tree = self.folder / "node_modules/node-rdkafka"

    def prepare(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "package.json").exists():
            (self.folder / "package.json").write_text('{"private": true}')
        self.once("install", ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE, MOCHA, GYP])
        self.once("build", [self.folder / "node_modules/.bin/node-gyp", "rebuild", *self.headers()], self.tree, {"JOBS": "1"})  # its parts are not ready for more

    @staticmethod
    def headers():
        """Node's own headers where they lie beside it (Debian: libnode-dev); else node-gyp looks for them."""
        node = pathlib.Path(os.path.realpath(shutil.which("node") or "node")).parents[1]
        return [f"--nodedir={node}"] if (node / "include/node/node.h").exists() else []

    def units(self):
        return sorted(p.name.removesuffix(".spec.js") for p in (self.tree / "e2e").glob("*.spec.js") if p.name.removesuffix(".spec.js") not in self.left_out)

    def run(self, unit, address, log):
        report = log.with_suffix(".json")
        report.unlink(missing_ok=True)
        code, seconds = process([self.folder / "node_modules/.bin/mocha", "--exit", "--timeout", "60000", "--reporter", "json",
                                 "--reporter-option", f"output={report}", f"e2e/{unit}.spec.js"], log, self.limit_s, self.tree, {"KAFKA_HOST": address}, done=report)  # some leave mocha hanging
        if not report.exists():
            return [Outcome(unit, FAILED, f"no end within {self.limit_s} s" if code is None else f"exit code {code}: {last_lines(log, 1)}", seconds)]
        found = json.loads(text_of(report))
        out = [Outcome(self.named(unit, t), PASSED, "", t.get("duration", 0) / 1000) for t in found["passes"]]
        out += [Outcome(self.named(unit, t), SKIPPED, "pending in the suite") for t in found["pending"]]
        out += [Outcome(self.named(unit, t), FAILED, re.sub(r"\s+", " ", t["err"].get("message", ""))[:300], t.get("duration", 0) / 1000) for t in found["failures"]]
        return out

    @staticmethod
    def named(unit, test):
        return f"{unit}: {test['fullTitle']}"
