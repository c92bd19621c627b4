"""The two brokers of a side-by-side run: where they come from, how they are started, stopped and killed, and how they
are loaded and measured. Both get the same listeners and log.dirs; everything else is what each has by default."""
import json, os, pathlib, resource, shutil, signal, subprocess, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / "build/bench"
KAFKA_VERSION = "4.3.1"
SCALA = "2.13"
HEAP = ["-Xms1G", "-Xmx1G"]  # as its kafka-server-start.sh; the rest as its kafka-run-class.sh
JVM = ["-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
       "-XX:+ExplicitGCInvokesConcurrent", "-XX:MaxInlineLevel=15", "-Djava.awt.headless=true"]


class BenchError(Exception):
    """A run that gave no figure, and why."""


def run(command, timeout, **more):
    """The finished process; BenchError with the end of what it said when it failed or took too long."""
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout, **more)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{pathlib.Path(str(command[0])).name}: not done after {timeout:.0f} s") from None
    if done.returncode != 0:
        raise BenchError((done.stderr or done.stdout).strip()[-1500:] or f"{command[0]} failed")
    return done


def raise_file_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def kafka_classpath():
    """The jars of the broker and its tools, fetched from Maven once."""
    jars = CACHE / "kafka" / KAFKA_VERSION
    if not jars.exists():
        wanted = [f"kafka_{SCALA}", "kafka-tools"]
        dependencies = "".join(f"<dependency><groupId>org.apache.kafka</groupId><artifactId>{a}</artifactId><version>{KAFKA_VERSION}</version></dependency>"
                               for a in wanted)
        with tempfile.TemporaryDirectory() as directory:
            pom = pathlib.Path(directory) / "pom.xml"
            pom.write_text('<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>bench</groupId>'
                           f"<artifactId>bench</artifactId><version>1</version><packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>")
            part = jars.with_suffix(".part")
            run(["mvn", "-q", "-f", pom, "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies",
                 f"-DoutputDirectory={part}", "-DincludeScope=runtime"], timeout=900)
            part.rename(jars)
    return f"{jars}/*"


def java_tool(name, *arguments, heap="-Xmx512m"):
    """The command of one of Kafka's tools."""
    return ["java", heap, "-cp", kafka_classpath(), name, *map(str, arguments)]


class Broker:
    """One broker process and its data directory; started at most once at a time."""

    def __init__(self, name, port, data):
        self.name, self.port, self.process = name, port, None
        self.home = pathlib.Path(data) / name

    # What the subclasses say.
    def command(self):
        raise NotImplementedError

    def properties(self):
        raise NotImplementedError

    def format(self):
        """Prepares an empty data directory, where the broker asks for that."""

    def start(self, fresh=True):
        """Starts it without waiting; the monotonic nanoseconds at which the process was made."""
        if fresh:
            shutil.rmtree(self.home, ignore_errors=True)
            (self.home / "data").mkdir(parents=True)
            lines = {"listeners": f"PLAINTEXT://127.0.0.1:{self.port}", "log.dirs": self.home / "data", **self.properties()}
            self.config.write_text("".join(f"{k}={v}\n" for k, v in lines.items()))
            self.format()
        at = time.monotonic_ns()
        with open(self.home / "server.log", "a") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=subprocess.STDOUT)
        return at

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def kill(self):
        """As kill -9 does, or a machine that takes the process away."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def wipe(self):
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def config(self):
        return self.home / "server.properties"

    @property
    def pid(self):
        return self.process.pid

    def cpu_seconds(self):
        """CPU used so far by all threads, from the process's own clock (see clock_getcpuclockid)."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def rss_mb(self):
        for line in open(f"/proc/{self.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise BenchError(f"{self.name} has ended")


class Kafka(Broker):
    version = KAFKA_VERSION

    def __init__(self, port, data):
        super().__init__("kafka", port, data)

    def command(self):
        return ["java", *HEAP, *JVM, "-cp", kafka_classpath(), "kafka.Kafka", str(self.config)]

    def properties(self):
        controller = self.port + 1
        return {"listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
                "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
                "process.roles": "broker,controller", "node.id": 1, "controller.quorum.voters": f"1@127.0.0.1:{controller}",
                "controller.listener.names": "CONTROLLER", "offsets.topic.replication.factor": 1,
                "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1}

    def format(self):
        run(java_tool("kafka.tools.StorageTool", "format", "-t", "AAAAAAAAQACAAAAAAAAAAA", "-c", self.config), timeout=120)


class Moldau(Broker):
    def __init__(self, port, data, server):
        super().__init__("moldau", port, data)
        self.server = server
        self.version = run(["git", "-C", ROOT, "describe", "--always", "--dirty"], timeout=10).stdout.strip()

    def command(self):
        return [str(self.server), str(self.config)]

    def properties(self):
        return {}


class Loadgen:
    """moldau-loadgen against one broker, measured."""

    def __init__(self, program, broker, cpu):
        self.program, self.broker, self.cpu = program, broker, cpu

    def __call__(self, mode, *arguments, timeout=300, measured=True):
        command = [self.program, "--json", "--port", self.broker.port, "--cpu", self.cpu]
        if measured:
            command += ["--pid", self.broker.pid]
        return json.loads(run([*command, mode, *arguments], timeout).stdout)

    def wait_for_port(self, seconds=120):
        return self("probe", "--topic", "", "--seconds", seconds, timeout=seconds + 60, measured=False)
