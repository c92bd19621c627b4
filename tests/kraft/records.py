"""Records go both ways: moldau-server and Apache Kafka take turns on one directory with one properties file. kcat writes to
each and reads everything from the next, after a clean stop and after kill -9."""
import pathlib
import signal
import socket
import subprocess
import time

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
TOPIC, PARTITIONS = "turns", 2


class Moldau:
    """moldau-server on the properties file that Kafka was given."""

    def __init__(self, server, properties, port):
        self.server, self.properties, self.port = server, properties, port

    def __enter__(self):
        with open(f"{self.properties}.moldau.log", "a") as log:
            self.process = subprocess.Popen([self.server, self.properties], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)    # it logs to a file: there is nothing to wait on
        self.process.kill()
        raise SystemExit(f"FAILED: Moldau did not start:\n{pathlib.Path(f'{self.properties}.moldau.log').read_text()[-3000:]}")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            if self.process.wait(60) != 0:
                raise SystemExit(f"FAILED: Moldau ended with {self.process.returncode}")


def kcat(port, *words, content=None, topic=TOPIC):
    done = subprocess.run(["kcat", "-b", f"127.0.0.1:{port}", "-t", topic, *words], input=content, capture_output=True, timeout=120)
    if done.returncode != 0:
        raise SystemExit(f"FAILED: kcat {' '.join(words)}\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def write(port, turn):
    """Some of everything: each codec, each partition, keys, nulls, headers, with and without idempotence."""
    for number, codec in enumerate(CODECS):
        lines = "".join(f"key-{turn}-{i}:{codec} value {turn} {i} {'x' * (i % 300)}\n" for i in range(400)) + "null:\n"
        kcat(port, "-P", "-K:", "-Z", "-z", codec, "-p", str(number % PARTITIONS), "-H", f"turn={turn}", "-X",
             f"enable.idempotence={'true' if number % 2 else 'false'}", content=lines.encode())
    return len(CODECS) * 401


def read(port):
    """Every record with its place, key, length of value (-1: null), time and headers."""
    found = kcat(port, "-C", "-e", "-q", "-o", "beginning", "-f", "%p %o %k %S %T %h %s\n")
    return sorted(found.decode().splitlines(), key=lambda line: tuple(map(int, line.split()[:2])))


def end(broker, killed):
    if killed:
        broker.process.send_signal(signal.SIGKILL)
        broker.process.wait()


def take_turns(run, kafka, server, killed):
    how = "killed" if killed else "stopped"
    moldau = Moldau(server, kafka.properties, run.args.port)
    known, count, before = [], 0, ""
    for turn, broker in enumerate((moldau, kafka, moldau, kafka, moldau)):
        name = type(broker).__name__
        with broker:
            if turn == 0:
                kafka.ask(f"create={TOPIC}")
            else:
                run.expect(f"{name} has every record that was there when {before} was {how}", read(run.args.port), known)
            count += write(run.args.port, turn)
            known = read(run.args.port)
            run.expect(f"{name} takes more", len(known), count)
            end(broker, killed)
        before = name
