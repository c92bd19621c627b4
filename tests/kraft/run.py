#!/usr/bin/env python3
"""Directories go both ways between Moldau and Apache Kafka 4.3.1 in KRaft mode: run.py [--build DIR] [--port N]

Writes a directory with Moldau's libraries (build/DIR's metadata_dir), starts Kafka on it, asks it for everything, lets it change
something, stops it, reads it with Moldau, and so on; the other way round with directories that Kafka formats. Then both serve
one directory in turns: kcat compares every record (records.py), and members of groups that joined at the one go on at the other
(groups.py). Needs kcat, a JDK and Kafka's jars in build/interop/kafka/4.3.1 (tests/interop/setup fetches them)."""
import argparse
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import groups
import records

ROOT = pathlib.Path(__file__).resolve().parents[2]


def kinds(lines, *wanted):
    return sorted(line for line in lines if line.split()[0] in wanted)


class Kafka:
    """One broker of Kafka in combined mode on a directory."""

    def __init__(self, args, directory, quorum):
        self.args, self.bootstrap = args, f"127.0.0.1:{args.port}"
        controller = f"127.0.0.1:{args.port + 1}"
        self.properties = directory.parent / f"{directory.name}.properties"
        self.properties.write_text("\n".join([
            "process.roles=broker,controller", "node.id=1", f"log.dirs={directory}",
            f"controller.quorum.voters=1@{controller}" if quorum == "voters" else f"controller.quorum.bootstrap.servers={controller}",
            f"listeners=PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}", "controller.listener.names=CONTROLLER",
            "offsets.topic.replication.factor=1", "num.recovery.threads.per.data.dir=1", ""]))

    def java(self, *words):
        return ["java", "-Xmx512m", "-cp", f"{self.args.jars}/*", *words]

    def format(self, *more):
        subprocess.run(self.java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(self.properties), *more),
                       check=True, capture_output=True)

    def __enter__(self):
        self.process = subprocess.Popen(self.java("kafka.Kafka", str(self.properties)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.args.port)) == 0:
                    return self
            if time.monotonic() > deadline:
                self.stop()
                break
            time.sleep(0.2)    # another program's port: there is nothing to wait on
        raise SystemExit(f"FAILED: Kafka did not start on {self.properties} (exit {self.process.poll()})")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def __exit__(self, *_):
        self.stop()

    def run_tool(self, *words):
        done = subprocess.run(self.java("-XX:TieredStopAtLevel=1", *words), capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"FAILED: {' '.join(words)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def ask(self, *words):
        done = subprocess.run(self.java(str(ROOT / "tests/kraft/Ask.java"), self.bootstrap, *words), capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"FAILED: Kafka answered\n{done.stdout}{done.stderr}")
        return done.stdout.splitlines()


class Run:
    def __init__(self, args):
        self.args, self.failures = args, 0

    def moldau(self, *words):
        done = subprocess.run([self.args.metadata_dir, *map(str, words)], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"FAILED: {' '.join(map(str, words))}\n{done.stderr}")
        return done.stdout.splitlines()

    def expect(self, what, found, expected):
        good = found == expected
        print(f"{'ok    ' if good else 'FAILED'} {what}")
        if not good:
            self.failures += 1
            print(f"   expected {expected}\n   found    {found}")

    def same(self, what, ours, theirs):
        """Topics, ids, partition counts, topic settings, features, cluster: alike on both sides."""
        keep = lambda lines: [l for l in kinds(lines, "cluster", "topic", "config", "feature") if not l.startswith("config 4")
                              and not l.startswith("feature kraft")]
        self.expect(what, keep(ours), keep(theirs))

    def ours_to_kafka(self, work, quorum):
        directory = work / f"moldau-{quorum}"
        self.moldau("write", directory, "plain:3", "with.dots:1:retention.ms=1234:cleanup.policy=compact", "large:50:segment.bytes=1048576")
        before = self.moldau("print", directory)
        with Kafka(self.args, directory, quorum) as kafka:
            told = kafka.ask("touch=plain")
            self.same(f"Kafka with {quorum} sees what Moldau wrote", before, told)
            self.expect("every partition has a leader", kinds(told, "leaderless"), ["leaderless []"])
            self.expect("and takes records", kinds(told, "end"), ["end plain 1"])
            told = kafka.ask("create=from-kafka", "delete=large", "set=plain,retention.ms,77")
        after = self.moldau("print", directory)
        self.same("Moldau sees what Kafka changed", after, told)
        self.expect("nothing is unknown", kinds(after, "unknown-records"), ["unknown-records 0"])
        self.moldau("write", directory, "back-again:2")
        with Kafka(self.args, directory, quorum) as kafka:
            told = kafka.ask("touch=back-again", "touch=plain")
            self.same("Kafka sees what Moldau then wrote", self.moldau_copy(directory), told)
            self.expect("records are where they were", kinds(told, "end"), ["end back-again 1", "end plain 2"])

    def moldau_copy(self, directory):
        """What Moldau reads from a copy, for Kafka is using the directory."""
        copy = directory.parent / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for name in ("meta.properties", "bootstrap.checkpoint", "__cluster_metadata-0"):
            source = directory / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
        return self.moldau("print", copy)

    def kafka_to_ours(self, work, quorum, *more):
        directory = work / f"kafka-{quorum}"
        kafka = Kafka(self.args, directory, quorum)
        kafka.format(*more)
        with kafka:
            kafka.ask("create=one", "create=two", "create=three")
            told = kafka.ask("delete=two", "set=one,segment.ms,5000", "touch=one")
        self.same(f"Moldau opens a directory of Kafka's with {quorum}", self.moldau("print", directory), told)
        self.moldau("write", directory, "from-moldau:4")
        with kafka:
            told = kafka.ask("touch=from-moldau", "touch=one")
            self.expect("Kafka goes on with it", [l.split()[1] for l in kinds(told, "topic")], ["from-moldau", "one", "three"])
            self.expect("records are where they were", kinds(told, "end"), ["end from-moldau 1", "end one 2"])

    def only_formatted(self, work):
        directory = work / "formatted"
        kafka = Kafka(self.args, directory, "voters")
        kafka.format("--release-version", "3.9-IV0")
        self.moldau("write", directory, "first:1")
        ours = self.moldau("print", directory)
        self.expect("Moldau keeps the release that Kafka's format step chose", kinds(ours, "feature")[-1:], ["feature metadata.version 21"])
        with kafka:
            self.same("Kafka goes on at that release", ours, kafka.ask("touch=first"))


    def records_both_ways(self, work):
        for killed in (False, True):
            directory = work / f"records-{'killed' if killed else 'stopped'}"
            directory.mkdir()
            records.take_turns(self, Kafka(self.args, directory, "voters"), self.args.server, killed)

    def groups_both_ways(self, work):
        for first, killed in (("Moldau", True), ("Kafka", False)):
            directory = work / f"groups-{first}"
            directory.mkdir()
            groups.take_turns(self, Kafka(self.args, directory, "voters"), self.args.server, first, killed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="release", help="folder below build/ that has metadata_dir")
    parser.add_argument("--port", type=int, default=25900)
    args = parser.parse_args()
    args.jars = ROOT / "build/interop/kafka/4.3.1"
    args.metadata_dir = ROOT / "build" / args.build / "tests/kraft/metadata_dir"
    args.server = ROOT / "build" / args.build / "src/server/moldau-server"
    for needed in (args.jars, args.metadata_dir, args.server):
        if not needed.exists():
            raise SystemExit(f"expected {needed}, found nothing; see --help")
    run = Run(args)
    with tempfile.TemporaryDirectory(prefix="moldau-kraft-") as folder:
        work = pathlib.Path(folder)
        run.ours_to_kafka(work, "voters")
        run.ours_to_kafka(work, "bootstrap")
        run.kafka_to_ours(work, "voters")
        run.kafka_to_ours(work, "bootstrap", "--standalone")
        run.only_formatted(work)
        run.records_both_ways(work)
        run.groups_both_ways(work)
    print("all well" if run.failures == 0 else f"{run.failures} checks FAILED")
    return min(run.failures, 1)


if __name__ == "__main__":
    sys.exit(main())
