"""What is measured: the rows of the table in docs/performance.md. A row's function gets a Context with a running broker
(steady rows) or a stopped one (the others, which start it as they need), and returns figures by measure."""
import os, pathlib, re, subprocess, time
from dataclasses import dataclass, field

import groups
from brokers import CACHE, ROOT, BenchError, java_tool, run


@dataclass(frozen=True)
class Measure:
    label: str
    unit: str
    key: str  # in the figures that the row's function returns
    aim: str = ""
    more_is_better: bool = False


@dataclass(frozen=True)
class Row:
    id: str
    section: str
    function: object
    measures: tuple
    steady: bool = True  # wants a broker that is up and warm


@dataclass
class Context:
    broker: object
    load: object
    seconds: float  # counted time of a run, at most
    warmup: float  # of this broker
    scale: float  # of data volumes and partition counts in the heavy rows
    settle: float  # rest before memory and idle CPU are read
    topics: int = field(default=0)

    def topic(self, partitions, topics=1):
        """A new topic (or several of one stem); the options that name it."""
        self.topics += 1
        options = ["--topic", f"bench{self.topics}", "--topics", topics, "--partitions", partitions]
        self.load("create", *options, "--config", "file.delete.delay.ms", "1000")
        return options

    def delete(self, topic):
        """Deletes it and waits until its files are gone, so that the next row does not pay for that."""
        self.load("delete", *topic)
        time.sleep(3)

    def scaled(self, number):
        return max(1, round(number * self.scale))


MAX_BYTES = 4e9  # of one counted run, so that no row fills the disk


def produce(records, size, connections, depth, partitions=8):
    def function(ctx):
        topic = ctx.topic(partitions)
        requests = int(MAX_BYTES / (records * size + 100))
        figures = ctx.load("produce", *topic, "--records", records, "--size", size, "--connections", connections, "--depth", depth,
                           "--warmup", ctx.warmup, "--seconds", ctx.seconds, "--requests", requests)
        ctx.delete(topic)
        return figures
    return function


def fetch(readers):
    def function(ctx):
        topic = ctx.topic(10)
        gigabyte = 1e9 / (16 * 1030)
        ctx.load("produce", *topic, "--depth", 8, "--seconds", 120, "--requests", ctx.scaled(gigabyte))
        figures = ctx.load("fetch", *topic, "--connections", readers, "--warmup", ctx.warmup, "--seconds", ctx.seconds)
        ctx.delete(topic)
        return figures
    return function


def end_to_end(rate):
    def function(ctx):
        topic = ctx.topic(8)
        figures = ctx.load("end-to-end", *topic, "--rate", rate, "--size", 100, "--warmup", ctx.warmup, "--seconds", 2 * ctx.seconds)
        ctx.delete(topic)
        return figures
    return function


def storm(ctx):
    return [ctx.load("storm", "--depth", 8, "--requests", 3000) for _ in range(2)][-1]


def idle_connections(ctx):
    ctx.broker.start()
    ctx.load.wait_for_port()
    time.sleep(ctx.settle)
    figures = ctx.load("idle", "--connections", ctx.scaled(5000), "--depth", 16, "--hold", min(ctx.seconds, 10))
    return {"kb_per_connection": figures["broker_rss_grown_mb"] * 1000 / figures["connections"],
            "idle_percent": figures["hold_cpu_s"] / figures["hold_seconds"] * 100}


# ---- real clients ----

def measured_client(ctx, records, command, timeout=300):
    cpu, at = ctx.broker.cpu_seconds(), time.monotonic()
    done = run(command, timeout)
    return done, {"cpu_ns_per_record": (ctx.broker.cpu_seconds() - cpu) / records * 1e9,
                  "wall_records_per_s": records / (time.monotonic() - at)}


def java_producer(ctx):
    records, name = ctx.scaled(3_000_000), ctx.topic(8)[1]
    command = java_tool("org.apache.kafka.tools.ProducerPerformance", "--topic", name, "--num-records", records, "--record-size", 100,
                        "--throughput", -1, "--bootstrap-server", f"127.0.0.1:{ctx.broker.port}")
    run(command, 300)  # warms the broker up; the client is a new process each time
    done, figures = measured_client(ctx, records, command)
    told = re.search(rf"^{records} records sent, ([\d.]+) records/sec", done.stdout, re.M)
    if not told:
        raise BenchError("expected the summary of kafka-producer-perf-test, found:\n" + done.stdout[-500:])
    ctx.delete(["--topic", name])
    return {**figures, "records_per_s": float(told[1])}


def kcat_producer(ctx):
    records, name = ctx.scaled(3_000_000), ctx.topic(8)[1]
    lines = CACHE / f"lines-{records}"
    if not lines.exists():
        lines.write_bytes(b"".join(b"%0100d\n" % i for i in range(records)))
    command = ["kcat", "-P", "-b", f"127.0.0.1:{ctx.broker.port}", "-t", name, "-X", "acks=1", "-X", "linger.ms=5",
               "-X", "queue.buffering.max.messages=1000000", "-l", lines]
    run(command, 300)
    _, figures = measured_client(ctx, records, command)
    stored = ctx.load("offsets", "--topic", name, "--partitions", 8)["records"]
    if stored != 2 * records:
        raise BenchError(f"expected {2 * records} records from kcat, found {stored}")
    ctx.delete(["--topic", name])
    return figures


def list_topics(ctx):
    tool = java_tool("org.apache.kafka.tools.TopicCommand") if ctx.broker.name == "kafka" else [ROOT / "bin/kafka-topics.sh"]
    if not pathlib.Path(tool[0]).exists() and ctx.broker.name != "kafka":
        raise BenchError("bin/kafka-topics.sh is not there")
    at = time.monotonic()
    run([*tool, "--list", "--bootstrap-server", f"127.0.0.1:{ctx.broker.port}"], 60)
    return {"wall_ms": (time.monotonic() - at) * 1000}


# ---- rows that start the broker themselves ----

def start_empty(ctx):
    at = ctx.broker.start()
    return {"open_ms": (ctx.load.wait_for_port()["open_at_ns"] - at) / 1e6}


def at_rest(ctx, partitions):
    """Memory and CPU of a broker that has `partitions` partitions of one batch each and nothing to do."""
    ctx.broker.start()
    ctx.load.wait_for_port()
    time.sleep(ctx.settle)
    empty_mb = ctx.broker.rss_mb()
    if partitions:
        many(ctx, partitions, lambda topic: touch(ctx, topic, partitions))
        time.sleep(5 * ctx.settle)  # both write checkpoints each minute; the first of them ends the work
    cpu, at = ctx.broker.cpu_seconds(), time.monotonic()
    time.sleep(4 * ctx.settle)
    percent = (ctx.broker.cpu_seconds() - cpu) / (time.monotonic() - at) * 100
    rss = ctx.broker.rss_mb()
    return {"rss_mb": rss, "cpu_percent": percent, "kb_per_partition": (rss - empty_mb) * 1000 / max(1, partitions)}


def many(ctx, partitions, work):
    """Creates `partitions` partitions in topics of at most 1,000 and works on them."""
    topics = -(-partitions // 1000)
    topic = ctx.topic(-(-partitions // topics), topics)
    return work(topic)


def touch(ctx, topic, partitions):
    """Two batches into every partition. The first write to a log makes files and may sync them, and the second enters
    Kafka's mapped indexes, whose page faults read ahead as far as the block device is set to: with 8 MiB, 30 ms of CPU
    for each partition, once. That is no part of steady work."""
    requests = 2 * partitions
    done = ctx.load("produce", *topic, "--connections", 16, "--seconds", 500, "--requests", requests, timeout=600)["requests"]
    if done < requests:
        raise BenchError(f"expected two batches in each of {partitions} partitions within 500 s, found {done} in all")


def rest(partitions):
    return lambda ctx: at_rest(ctx, ctx.scaled(partitions) if partitions else 0)


def by_partitions(partitions):
    def function(ctx):
        ctx.broker.start()
        ctx.load.wait_for_port()
        return many(ctx, partitions, lambda topic: work(ctx, topic))

    def work(ctx, topic):
        touch(ctx, topic, partitions)
        return ctx.load("produce", *topic, "--depth", 4, "--connections", 4, "--warmup", ctx.warmup, "--seconds", ctx.seconds,
                        "--requests", int(MAX_BYTES / 16500))
    return function


def restart(partitions, gigabytes):
    def function(ctx):
        ctx.broker.start()
        ctx.load.wait_for_port()
        count = ctx.scaled(partitions)
        batches = max(count, int(gigabytes * ctx.scale * 1e9 / (16 * 1032)))
        topic = many(ctx, count, lambda options: options)
        touch(ctx, topic, count)
        ctx.load("produce", *topic, "--connections", 4, "--depth", 4, "--seconds", 400, "--requests", batches, timeout=500)
        stored = ctx.load("offsets", *topic)["records"]
        ctx.broker.kill()
        at = ctx.broker.start(fresh=False)
        first = topic[1] + ("-0000" if topic[3] > 1 else "")
        up = ctx.load("probe", "--topic", first, "--seconds", 300, timeout=400, measured=False)
        lost = stored + 1 - ctx.load("offsets", *topic, "--seconds", 120)["records"]  # the probe produced one
        if lost > 0:
            raise BenchError(f"{lost} of {stored} acknowledged records are gone after kill -9")
        return {"open_ms": (up["open_at_ns"] - at) / 1e6, "produced_ms": (up["produced_at_ns"] - at) / 1e6}
    return function


WORK, LATENCY, LIFE, CLIENTS, PARTITIONS = "Work", "Latency", "Start, restart, rest", "Real clients", "Partitions"
GROUPS = "Groups"


def latencies(rate):
    what = f"end to end, {rate:,} records/s"
    return tuple(Measure(f"{what}: {label}", "ms", key) for label, key in (("p50", "latency_p50_us"), ("p99", "latency_p99_us"), ("p99.9", "latency_p99_9_us")))


ROWS = (
    Row("batch-150x100", WORK, produce(150, 100, 4, 4), (Measure("produce, 150 records of 100 B a batch", "ns CPU/record", "cpu_ns_per_record", "≤ 75"),)),
    Row("batch-16x1k", WORK, produce(16, 1024, 4, 4), (Measure("produce, 16 records of 1 KiB a batch", "CPU-s/GB", "cpu_s_per_gb", "≤ 0.65"),)),
    Row("batch-128x1k", WORK, produce(128, 1024, 4, 4), (Measure("produce, 128 records of 1 KiB a batch", "CPU-s/GB", "cpu_s_per_gb", "≤ 0.40"),)),
    Row("single-16", WORK, produce(1, 100, 16, 1), (Measure("produce, one record a request, 16 connections", "µs CPU/request", "cpu_us_per_request", "≤ 8"),
                                                    Measure("the same: requests", "1/s", "requests_per_s", more_is_better=True))),
    Row("single-1", WORK, produce(1, 100, 1, 1), (Measure("produce, one record a request, 1 connection", "µs CPU/request", "cpu_us_per_request", "≤ 32"),)),
    Row("fetch", WORK, fetch(1), (Measure("fetch from the page cache, default client", "CPU-s/GB", "cpu_s_per_gb", "≤ 0.16"),)),
    Row("fetch-8", WORK, fetch(8), (Measure("fetch from the page cache, 8 clients", "CPU-s/GB", "cpu_s_per_gb", "≤ 0.16"),)),
    Row("storm", WORK, storm, (Measure("connect, ApiVersions, close", "µs CPU/connection", "cpu_us_per_request"),)),
    Row("idle-connections", WORK, idle_connections, (Measure("5,000 idle connections: memory of each", "kB", "kb_per_connection"),
                                                     Measure("5,000 idle connections: CPU", "% of a core", "idle_percent")),
        steady=False),
    Row("e2e-1k", LATENCY, end_to_end(1_000), latencies(1_000)),
    Row("e2e-10k", LATENCY, end_to_end(10_000), latencies(10_000)),
    Row("e2e-100k", LATENCY, end_to_end(100_000), latencies(100_000)),
    *(Row(f"partitions-{n}", PARTITIONS, by_partitions(n),
          (Measure(f"produce, 16 × 1 KiB a batch, partitions: {n:,}", "CPU-s/GB", "cpu_s_per_gb"), Measure(f"memory after that, partitions: {n:,}", "MB", "broker_rss_mb")),
          steady=False) for n in (1, 100, 1_000, 10_000)),
    Row("groups-join", GROUPS, groups.join_many, (Measure("1,000 members join one group: until all are stable", "s", "stable_s"),
                                                  Measure("1,000 members join one group: CPU for each", "ms", "cpu_ms_per_member"))),
    Row("groups-commit", GROUPS, groups.commit_many, (Measure("10,000 groups commit each second: CPU for each commit", "µs", "cpu_us_per_commit"),
                                                      Measure("10,000 groups commit each second: slowest round", "s", "slowest_s"))),
    Row("start", LIFE, start_empty, (Measure("start to open port, empty", "ms", "open_ms", "< 15"),), steady=False),
    Row("restart-2000", LIFE, restart(2_000, 1.8), (Measure("kill −9 to open port, 2,000 partitions, 1.8 GB", "ms", "open_ms"),
                                                    Measure("kill −9 to first produce, 2,000 partitions, 1.8 GB", "ms", "produced_ms", "< 200")), steady=False),
    Row("restart-5000", LIFE, restart(5_000, 10.74), (Measure("kill −9 to first produce, 5,000 partitions, 10 GiB", "ms", "produced_ms"),), steady=False),
    Row("rest", LIFE, rest(0), (Measure("memory at rest, empty", "MB", "rss_mb", "< 10"),), steady=False),
    Row("rest-2000", LIFE, rest(2_000), (Measure("memory at rest, 2,000 partitions", "MB", "rss_mb", "< 15"), Measure("memory for each of them", "kB", "kb_per_partition"),
                                         Measure("CPU at rest, 2,000 partitions", "% of a core", "cpu_percent", "< 0.1")), steady=False),
    Row("java-producer", CLIENTS, java_producer, (Measure("Java's kafka-producer-perf-test, 100 B: broker", "ns CPU/record", "cpu_ns_per_record"),
                                                  Measure("Java's kafka-producer-perf-test, 100 B: rate", "records/s", "records_per_s", more_is_better=True))),
    Row("kcat-producer", CLIENTS, kcat_producer, (Measure("kcat (librdkafka), 100 B: broker", "ns CPU/record", "cpu_ns_per_record"),
                                                  Measure("kcat (librdkafka), 100 B: rate", "records/s", "wall_records_per_s", more_is_better=True))),
    Row("list-topics", CLIENTS, list_topics, (Measure("kafka-topics.sh --list, wall", "ms", "wall_ms", "< 10"),)),
)
SECTIONS = (WORK, LATENCY, PARTITIONS, GROUPS, LIFE, CLIENTS)
