#!/usr/bin/env python3
"""Does the load generator speak Kafka's protocol? Its frames go to an Apache Kafka, and Kafka's own console consumer and
kcat read back every record. Also in the other direction: what Kafka's clients wrote, the generator fetches.

  bench/check_frames.py [--build DIR] [--port N]
"""
import argparse, pathlib, sys, tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from brokers import ROOT, BenchError, Kafka, Loadgen, java_tool, run

RECORDS, SIZE = 40, 50


def expect(what, expected, found):
    if expected != found:
        raise BenchError(f"{what}: expected {expected}, found {found}")
    print(f"ok: {what}", flush=True)


def console_consumer(port, topic, records):
    command = java_tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", f"127.0.0.1:{port}", "--topic", topic,
                        "--from-beginning", "--max-messages", records, "--timeout-ms", 20000)
    return run(command, 60).stdout.splitlines()


def kcat(port, topic):
    return run(["kcat", "-C", "-q", "-e", "-b", f"127.0.0.1:{port}", "-t", topic, "-o", "beginning"], 60).stdout.splitlines()


def check_produce(load, port, version, acks, partitions):
    topic, requests = f"produce-{version}-{acks}".replace("--", "-all-"), 3 * partitions
    where = ["--topic", topic, "--partitions", partitions]
    load("create", *where)
    load("produce", *where, "--produce-version", version, "--acks", acks, "--records", RECORDS, "--size", SIZE,
         "--requests", requests, "--partitions-per-request", 2)
    wanted = 2 * requests * RECORDS
    what = f"Produce v{version}, acks={acks}"
    expect(f"{what}: ListOffsets counts", wanted, load("offsets", *where)["records"])
    for reader, lines in (("the console consumer", console_consumer(port, topic, wanted)), ("kcat", kcat(port, topic))):
        expect(f"{what}: records that {reader} reads", wanted, len(lines))
        expect(f"{what}: each of their values, so often", {2 * requests}, {lines.count(l) for l in lines})
        expect(f"{what}: sizes of their values", {SIZE}, {len(l) for l in lines})


def check_fetch(load, port, version, sessions):
    where = ["--topic", f"fetch-{version}-{len(sessions)}", "--partitions", 3]
    load("create", *where)
    with tempfile.NamedTemporaryFile("w") as lines:
        lines.write("".join(f"line {i}\n" for i in range(300)))
        lines.flush()
        run(["kcat", "-P", "-b", f"127.0.0.1:{port}", "-t", where[1], "-l", lines.name], 60)
    stored = load("offsets", *where)["records"]
    figures = load("fetch", *where, "--fetch-version", version, sessions, "--requests", 5)
    expect(f"Fetch v{version} {sessions}: records in 5 rounds", 5 * stored, figures["records"])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=str(ROOT / "build/release"))
    p.add_argument("--port", type=int, default=23940)
    a = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="moldau-frames-") as data:
        kafka = Kafka(a.port, data)
        kafka.start()
        load = Loadgen(f"{a.build}/bench/moldau-loadgen", kafka, 0)
        try:
            load.wait_for_port()
            for version, acks in ((3, 1), (7, -1), (7, 0), (8, 1), (9, 1), (9, 0)):
                check_produce(load, a.port, version, acks, 4)
            for version in (11, 12):
                for sessions in ("--sessions", "--no-sessions"):
                    check_fetch(load, a.port, version, sessions)
        except BenchError as error:
            sys.exit(f"bench/check_frames.py: {error}")
        finally:
            kafka.stop()


if __name__ == "__main__":
    main()
