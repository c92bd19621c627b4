"""franz-go's tests of pkg/kgo that use a broker, built with the module proxy's copy. Transactions are left out."""
import os, re, subprocess

from suite import FAILED, PASSED, SKIPPED, Outcome, Suite, process, text_of

MODULE, VERSION = "github.com/twmb/franz-go", "v1.22.2"
NEEDS_GO_1 = 26
USES_A_BROKER = re.compile(r"\b(newTestClient|getSeedBrokers|tmp[A-Z]\w*)\(")


class FranzGo(Suite):
    name = "franz-go"
    source = f"{MODULE} {VERSION}, pkg/kgo"
    left_out = {"TestTxnEtl": "transactions", "TestSCRAMAuth": "needs SASL", "TestSCRAMAuthBadCredentials": "needs SASL"}
    tools = ("go",)
    limit_s = 900

    def missing(self):
        version = "" if super().missing() else subprocess.run(["go", "env", "GOVERSION"], text=True, capture_output=True).stdout
        found = re.match(r"go1\.(\d+)", version)
        old = found and int(found[1]) < NEEDS_GO_1
        return f"Go 1.{NEEDS_GO_1} or newer is needed, found {version.strip()}" if old else super().missing()

    def prepare(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "go.mod").exists():
            (self.folder / "go.mod").write_text(f"module moldau/suites\n\ngo 1.{NEEDS_GO_1}\n")
            (self.folder / "kgo.go").write_text(f'package suites\n\nimport _ "{MODULE}/pkg/kgo"\n')
        self.once("install", ["go", "get", "-t", f"{MODULE}/pkg/kgo@{VERSION}"])
        self.once("build", ["go", "test", "-c", "-o", "kgo.test", f"{MODULE}/pkg/kgo"])

    def units(self):
        where = subprocess.run(["go", "list", "-f", "{{.Dir}}", f"{MODULE}/pkg/kgo"], cwd=self.folder, text=True, capture_output=True, check=True)
        found = []
        for name in sorted(os.listdir(where.stdout.strip())):
            if name.endswith("_test.go"):
                with open(os.path.join(where.stdout.strip(), name)) as source:
                    bodies = re.findall(r"^func (Test\w+)\(t \*testing\.T\) \{\n(.*?)^\}", source.read(), re.M | re.S)
                found += [test for test, body in bodies if USES_A_BROKER.search(body) and test not in self.left_out]
        return found

    def run(self, unit, address, log):
        code, seconds = process(["./kgo.test", "-test.run", f"^{unit}$", "-test.v", "-test.timeout", f"{self.limit_s - 10}s"], log,
                                self.limit_s, self.folder, {"KGO_SEEDS": address, "KGO_TEST_RF": "1", "KGO_TEST_RECORDS": "100000"})
        text = text_of(log)
        out = []
        for result, test in re.findall(r"^ *--- (PASS|FAIL|SKIP): (\S+)", text, re.M):
            whole = {"PASS": PASSED, "FAIL": FAILED, "SKIP": SKIPPED}[result]
            out.append(Outcome(test, whole, self.reason(text) if whole != PASSED else "", seconds))
        # A test with subtests counts by them.
        parents = {o.test.rsplit("/", 1)[0] for o in out if "/" in o.test}
        out = [o for o in out if o.test not in parents]
        if code != 0 and not any(o.result == FAILED for o in out):
            out.append(self.outcome(unit, code, log, self.limit_s, seconds, lambda l: self.reason(text_of(l))))
        return out

    @staticmethod
    def reason(text):
        told = re.findall(r"^\s+\w+_test\.go:\d+: (.*)|^(panic: .*)", text, re.M)
        return next((a or b for a, b in told), "").strip()[:300]
