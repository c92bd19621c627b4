"""Every recorded data directory of Kafka 0.8.2 to 4.3, after clean stops and kills, opened by the server and read by a client
that nobody here wrote: the offsets that each kind of reader gets are those that Kafka's own consumer got."""
import concurrent.futures, gzip, json, os, pathlib, subprocess, sys, tarfile, tempfile, unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from moldau import Moldau  # noqa: E402

GOLDEN = pathlib.Path(os.environ.get("MOLDAU_GOLDEN", ROOT / "tests/golden")) / "datadirs"
KEEP_ALL = {"log.retention.ms": -1, "log.retention.bytes": -1, "node.id": None}


def description(name):
    packed = GOLDEN / f"{name}.json.gz"
    return json.loads(gzip.open(packed).read() if packed.exists() else (GOLDEN / f"{name}.json").read_bytes())


def offsets(broker, topic, partition, isolation):
    done = subprocess.run(["kcat", "-b", broker.address, "-C", "-t", topic, "-p", str(partition), "-e", "-q", "-o", "beginning",
                           "-f", "%o\n", "-X", f"isolation.level={isolation}"], capture_output=True, text=True, timeout=30)
    return [int(line) for line in done.stdout.split()]


class GoldenDirectories(unittest.TestCase):
    def check(self, name):
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(GOLDEN / f"{name}.tar.gz") as tar:
                tar.extractall(folder)
            with Moldau(**KEEP_ALL | {"log.dirs": pathlib.Path(folder) / name}) as broker:
                with concurrent.futures.ThreadPoolExecutor(8) as pool:  # kcat mostly waits
                    looks = [(topic, partition, wanted, isolation, pool.submit(offsets, broker, topic, partition, isolation))
                             for topic, partition, isolation, wanted in self.expected(name)]
                for topic, partition, wanted, isolation, look in looks:
                    with self.subTest(topic=topic, partition=partition, isolation=isolation):
                        self.assertEqual(look.result(), wanted)

    def expected(self, name):
        for topic, partitions in description(name)["topics"].items():
            for partition, data in partitions.items():
                if not topic.startswith("__"):
                    yield topic, partition, "read_uncommitted", [r["offset"] for r in data["records"]]
                    yield topic, partition, "read_committed", [r["offset"] for r in data["records"] if r.get("read_committed", True)]


def add(name):
    setattr(GoldenDirectories, "test_" + name.replace("-", "_").replace(".", "_"), lambda self: self.check(name))


for path in sorted(GOLDEN.glob("*.tar.gz")):
    add(path.name.removesuffix(".tar.gz"))

if __name__ == "__main__":
    unittest.main()
