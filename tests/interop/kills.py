#!/usr/bin/env python3
"""kill -9 while real clients write: whatever a client was told is there afterwards, at the offset it was told.

  tests/interop/kills.py [--kills N] [--only CLIENT,...] [--seed N]
Each client writes to a partition of its own, request after request, retrying as it does by default, while the broker is killed
and started again on the same port and directory. At the end each partition's log is read: every acknowledged record at its
offset, dense offsets, and none twice from writers with idempotence. Prints a line for each client, last 'N passed, N failed'.
"""
import argparse, base64, pathlib, random, sys, tempfile, threading, time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE)]
import kafka_wire as wire  # noqa: E402
from harness.clients import CACHE, CLIENTS, Adapter, AdapterError  # noqa: E402
from moldau import Moldau  # noqa: E402

TOPIC, AT_ONCE = "killed", 1500  # records of a command: long enough to be met by a kill


class Writer(threading.Thread):
    """One client and its partition; `told`: {offset: value}, `kept`: values acknowledged without an offset."""

    def __init__(self, client, partition, address, folder, logs):
        super().__init__(daemon=True)
        self.client, self.partition, self.folder = client, partition, folder
        self.adapter = Adapter(client, address, logs)
        self.idempotent = client.idempotence != "none"
        self.told, self.kept, self.commands, self.failed = {}, set(), 0, 0
        self.first, self.end = threading.Event(), threading.Event()

    def run(self):
        file = self.folder / f"{self.client.name}.records"
        options = {"acks": "all", "idempotence": "true"} if self.idempotent else {"acks": "1"}
        while not self.end.is_set():
            values = [b"%s %d %d " % (self.client.name.encode(), self.commands, i) + b"." * (i % 400) for i in range(AT_ONCE)]
            file.write_text("".join(f"{base64.b64encode(b'k%d' % i).decode()}\t{base64.b64encode(v).decode()}\t-\t-\n"
                                    for i, v in enumerate(values)))
            self.commands += 1
            try:
                answer = self.adapter.ask("produce", topic=TOPIC, partition=self.partition, file=file, codec="none",
                                          **options, **self.client.produce)
            except AdapterError as error:  # it gave up: some of it may be there, nothing has to be
                self.failed, self.error = self.failed + 1, str(error)
                if self.adapter.process.poll() is not None:
                    break
                self.end.wait(0.1)
                continue
            for offset, value in zip(map(int, answer.split(",")), values, strict=True):
                if offset < 0:
                    self.kept.add(value)
                else:
                    self.told.setdefault(offset, set()).add(value)
            self.first.set()
        self.first.set()

    def wrong(self, stored):
        """What the stored records, [(offset, value)], are not as they must be; or ''."""
        if not self.told and not self.kept:
            return f"expected some records to be acknowledged, found none; last {getattr(self, 'error', 'nothing said')}"
        if [o for o, _ in stored] != list(range(len(stored))):
            return "expected dense offsets"
        there, values = dict(stored), [v for _, v in stored]
        lost = [o for o, told in self.told.items() if told != {there.get(o)}]
        if lost:
            return f"expected {len(self.told)} records at the offsets told, {len(lost)} are not there, the first at {min(lost)}"
        if self.kept - set(values):
            return f"expected {len(self.kept)} acknowledged records, {len(self.kept - set(values))} are not there"
        twice = len(values) - len(set(values))
        if self.idempotent and twice:
            return f"expected no record twice from an idempotent writer, found {twice}"
        return ""


def stored(broker, partition):
    with wire.Client(broker.port, timeout=60) as client:
        return [(r.offset, r.value) for r in client.read_all(TOPIC, partition)]


def campaign(clients, kills, dice, folder):
    """Runs the clients through that many kills; (writers, broker)."""
    broker = Moldau().start()
    with wire.Client(broker.port) as client:
        error, message = client.create_topic(TOPIC, len(clients))
        assert error == wire.NONE, message
    (pathlib.Path(CACHE) / "log").mkdir(parents=True, exist_ok=True)
    writers = [Writer(c, i, broker.address, folder, str(pathlib.Path(CACHE) / "log")) for i, c in enumerate(clients)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.first.wait(60)  # all are at work, or it is said below
    for _ in range(kills):
        time.sleep(0.3 + dice.random())  # the load that the kill interrupts
        broker.kill()
        broker.start()
    for writer in writers:
        writer.end.set()
    for writer in writers:
        writer.join(130)
        writer.adapter.stop()
    return writers, broker


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kills", type=int, default=5)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", metavar="CLIENT,...")
    options = p.parse_args()
    clients = [c for c in CLIENTS if not options.only or c.name in options.only.split(",")]
    failures, begin = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        writers, broker = campaign(clients, options.kills, random.Random(options.seed), pathlib.Path(folder))
        for writer in writers:
            found = stored(broker, writer.partition)
            wrong = "still writing" if writer.is_alive() else writer.wrong(found)
            failures += bool(wrong)
            print(f"{'FAILED ' if wrong else ''}{writer.client.name}: {sum(map(len, writer.told.values())) + len(writer.kept)} acknowledged,"
                  f" {len(found)} stored; {writer.failed} of {writer.commands} requests given up{'; ' if wrong else ''}{wrong}")
        code = broker.stop()
        broker.__exit__(code or None)
        failures += code != 0
    print(f"{options.kills} kills in {time.monotonic() - begin:.0f} s")
    print(f"{len(writers) + 1 - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
