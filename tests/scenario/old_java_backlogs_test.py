"""The backlog of old_backlogs_test.py, read by Kafka's own old clients: 0.8.2.2's SimpleConsumerShell, and two of 0.9.0.1's new
consumers in a group. Skipped where tests/interop/setup has not been."""
import pathlib, queue, re, shutil, subprocess, sys, threading, time, unittest, zlib

import old_backlogs_test as backlogs
from old_backlogs_test import BATCHES, PARTITIONS, RECORDS, TOPIC
from scenario import skip

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
from harness.clients import CACHE  # noqa: E402

PATIENCE_S = 120
LAST = BATCHES * RECORDS - 1


def java(*folders):
    """The start of a command line with these parts of the interop cache."""
    if not shutil.which("java"):
        skip("no java")
    missing = [folder for folder in folders if not pathlib.Path(CACHE, folder).is_dir()]
    if missing:
        skip(f"no {CACHE}/{missing[0]}: tests/interop/setup makes it")
    path = ":".join(f"{CACHE}/{folder}" + ("/*" if folder.startswith("java/") else "") for folder in folders)
    return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", path]


def checksum(number):
    """Of a message of magic 0 without a key."""
    return zlib.crc32(backlogs.message(backlogs.value_of(number))[16:])


class JavaBacklogs(backlogs.BacklogTest):
    def test_the_simple_consumer_of_0_8_2_2(self):
        """It tells the offset and the checksum of each message."""
        command = java("java/0.8.2.2")
        self.forget_the_peak()
        for partition in range(PARTITIONS):
            done = subprocess.run(
                [*command, "kafka.tools.SimpleConsumerShell", "--broker-list", self.broker.address, "--topic", TOPIC, "--partition",
                 str(partition), "--offset", "-2", "--fetchsize", str(backlogs.ASKED), "--no-wait-at-logend", "--print-offsets",
                 "--formatter", "kafka.tools.ChecksumMessageFormatter"], capture_output=True, text=True, timeout=PATIENCE_S)
            found = re.findall(r"next offset = (\d+)\nchecksum:(\d+)\n", done.stdout)
            self.assertEqual(len(found), LAST + 1, done.stdout[-500:] + done.stderr[-500:])
            for number, (offset, told) in enumerate(found):
                self.assertEqual((int(offset), int(told)), (number + 1, checksum(number)))
        self.check_the_peak("SimpleConsumerShell")

    def test_a_group_of_0_9_0_1(self):
        """Two members have read everything and committed it; what is read again after a rebalance was not committed before."""
        command = java("members/0.9.0.1", "java/0.9.0.1")
        self.forget_the_peak()
        lines = queue.SimpleQueue()
        members = [Member(command, self.broker.address, name, lines) for name in "ab"]
        next_offset, committed, readers = [0] * PARTITIONS, [0] * PARTITIONS, [set() for _ in range(PARTITIONS)]
        deadline = time.monotonic() + PATIENCE_S
        try:
            while min(committed) <= LAST:
                member, words = lines.get(timeout=max(0, deadline - time.monotonic()))
                if words[0] == "read":
                    partition, offset = int(words[1]), int(words[2])
                    self.assertTrue(committed[partition] <= offset <= next_offset[partition], f"{member}: {words}, {next_offset}, {committed}")
                    next_offset[partition] = max(next_offset[partition], offset + 1)
                    readers[partition].add(member)
                elif words[0] == "committed":
                    committed[int(words[1])] = int(words[2])
        finally:
            for member in members:
                member.close()
        self.assertEqual(committed, [LAST + 1] * PARTITIONS)
        self.check_the_peak(f"read by {readers}")


class Member:
    """tests/interop/members/java/Member.java; `lines` gets what it says, as (name, words)."""

    def __init__(self, command, address, name, lines):
        self.process = subprocess.Popen([*command, "Member", address, "old", TOPIC, "classic"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.reader = threading.Thread(target=lambda: [lines.put((name, line.split())) for line in self.process.stdout], daemon=True)
        self.reader.start()

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        self.process.stdout.close()


if __name__ == "__main__":
    unittest.main()
