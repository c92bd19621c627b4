"""Starting and stopping: mistakes get one clear message, a good start says what people and harnesses look for."""
import os, pathlib, re, signal, socket, struct, subprocess, sys, threading, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import Moldau, free_port, server_program
from scenario import BrokerTest, skip, wait_until


class Mistakes(unittest.TestCase):
    """Each: a non-zero exit soon, one line that names file, line, key, what was expected and what was found."""

    def setUp(self):
        self.broker = Moldau()
        self.addCleanup(self.broker.__exit__, None)

    def refused(self, text, *expected, arguments=()):
        """`text`: the properties file, into which the usual settings go where it has {usual}."""
        usual = f"log.dirs={self.broker.folder}/data\nlisteners=PLAINTEXT://127.0.0.1:{self.broker.port}"
        code, said = self.broker.run(*arguments, text=text.replace("{usual}", usual))
        self.assertEqual(code, 1, said)
        errors = [l for l in said.splitlines() if "INFO" not in l and "WARN" not in l]
        self.assertEqual(len(errors), 1, f"expected one message, found\n{said}")
        for part in expected:
            self.assertIn(part, errors[0])
        return errors[0]

    @property
    def file(self):
        return str(self.broker.folder / "server.properties")

    def test_bad_numbers(self):
        self.refused("{usual}\nnum.partitions=many\n", self.file + ":3: ", "num.partitions", "many", "INT")
        self.refused("{usual}\n# two\nnode.id=1.5\n", self.file + ":4: ", "node.id", "1.5")
        self.refused("{usual}\nnum.partitions=0\n", self.file + ":3: ", "num.partitions", "at least 1")
        self.refused("{usual}\nsocket.request.max.bytes=99999999999\n", self.file + ":3: ", "socket.request.max.bytes")
        self.refused("{usual}\nauto.create.topics.enable=yes\n", self.file + ":3: ", "auto.create.topics.enable", "yes")
        self.refused("{usual}\n", "--override num.partitions=x", "INT", arguments=("--override", "num.partitions=x"))

    def test_unusable_listeners(self):
        self.refused("listeners=PLAINTEXT://127.0.0.1:70000\n", self.file + ":1: ", "70000", "between 0 and 65535")
        self.refused("listeners=PLAINTEXT://127.0.0.1\n", self.file + ":1: ", "expected NAME://host:port")
        self.refused("\n\nlisteners=127.0.0.1:9092\n", self.file + ":3: ", "expected NAME://host:port")
        self.refused("listeners=HOME://127.0.0.1:9092\n", self.file + ":1: ", "HOME", "listener.security.protocol.map")
        self.refused("listeners=A://127.0.0.1:9092,B://127.0.0.1:9092\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT\n",
                     self.file + ":1: ", "port")
        self.refused("listeners=PLAINTEXT://127.0.0.1:9092\nadvertised.listeners=PLAINTEXT://0.0.0.0:9092\n", self.file + ":2: ",
                     "0.0.0.0")

    def test_listeners_that_cannot_be_had(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.refused(f"log.dirs={self.broker.folder}/data\nlisteners=PLAINTEXT://127.0.0.1:{port}\n", self.file + ":2: ",
                         "listeners", "Address already in use", str(port), f"process {os.getpid()}")
        self.refused(f"listeners=PLAINTEXT://192.0.2.77:9092\nlog.dirs={self.broker.folder}/data\n", self.file + ":1: ", "listeners",
                     "192.0.2.77", "no such address")
        self.refused(f"log.dirs={self.broker.folder}/data\nlisteners=SSL://127.0.0.1:0\n", self.file + ":2: ", "SSL")

    def test_unwritable_directories(self):
        file = self.broker.folder / "a-file"
        file.write_text("x")
        listen = f"listeners=PLAINTEXT://127.0.0.1:{self.broker.port}\n"
        self.refused(f"{listen}log.dirs={file}\n", self.file + ":2: ", "log.dirs", str(file), "ot a directory")
        self.refused(f"{listen}log.dirs={file}/data\n", self.file + ":2: ", "log.dirs", str(file), "ot a directory")
        self.refused(f"{listen}log.dir=/proc/moldau\n", self.file + ":2: ", "log.dir", "/proc/moldau")

    def test_directory_of_another_user(self):
        folder = self.broker.folder / "data"
        folder.mkdir()
        if os.geteuid() == 0:
            self.broker.prefix = ["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
            for path in (self.broker.folder, *self.broker.folder.parents):
                if not os.stat(path).st_mode & 0o005 and path == self.broker.folder:
                    os.chmod(path, 0o755)
        else:
            folder.chmod(0o555)
        self.refused("{usual}\n", self.file + ":1: ", "log.dirs", str(folder), "Permission denied")

    def test_punctuation_from_a_blog(self):
        self.refused("{usual}\nlog.cleanup.policy=delete，compact\n", self.file + ":3: ", "log.cleanup.policy", "full-width comma", "，",
                     "ASCII `,`")
        self.refused("listeners=PLAINTEXT：//127.0.0.1:9092\n", self.file + ":1: ", "listeners", "full-width colon", "：")
        self.refused("listeners=A://127.0.0.1:9092、B://127.0.0.1:9093\n", self.file + ":1: ", "listeners", "、", "ideographic comma")
        self.refused("{usual}\nnum.partitions＝3\n", self.file + ":3: ", "num.partitions", "＝")
        self.refused("{usual}\nnode.id=“1”\n", self.file + ":3: ", "node.id", "“")

    def test_punctuation_in_other_places(self):
        listen = f"listeners=PLAINTEXT://127.0.0.1:{self.broker.port}\n"
        for mark in ("，", "、"):
            self.refused(f"{listen}log.dirs={self.broker.folder}/a{mark}{self.broker.folder}/b\n", self.file + ":2: ", "log.dirs", mark)
        self.refused("{usual}\nnum.partitions=３\n", self.file + ":3: ", "num.partitions", "３", "ASCII `3`")
        self.refused("{usual}\nnum.partitions=\u30003\n", self.file + ":3: ", "num.partitions", "U+3000")
        self.refused("{usual}\nnum.partitions=\u00a03\n", self.file + ":3: ", "num.partitions", "U+00A0")
        self.refused("{usual}\nｎum.partitions=3\n", self.file + ":3: ", "ｎum.partitions", "U+FF4E")
        self.refused("{usual}\n", "--override num.partitions=，", "U+FF0C", arguments=("--override", "num.partitions=，"))
        # Where people write as they like, it is theirs: the mistake told is the next one.
        self.refused("{usual}\n# 你好，世界、\nbroker.rack=東京，A\nnum.partitions=x\n", self.file + ":5: ", "num.partitions")

    def test_the_same_mistakes_in_files_from_windows(self):
        """A byte-order mark, carriage returns, a value that goes on in the next line."""
        self.refused("\ufeff{usual}\nnum.partitions=x\n", self.file + ":3: ", "num.partitions")
        self.refused("{usual}\r\nnum.partitions=x\r\n", self.file + ":3: ", "value x for")
        self.refused("{usual}\nnum.partitions=\\\n  x\n", self.file + ":3: ", "num.partitions")
        self.refused("{usual}\nnum.partitions=1\nnum.partitions=x\n", self.file + ":4: ", "num.partitions")

    def test_a_port_for_root_alone(self):
        if os.geteuid() != 0:
            skip("another user's view of port 81 needs root")
        start = pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()
        if int(start) <= 81:
            skip("port 81 is for everybody here")
        folder = self.broker.folder
        (folder / "data").mkdir()
        os.chmod(folder, 0o755), os.chmod(folder / "data", 0o777)
        self.broker.prefix = ["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
        self.refused(f"log.dirs={folder}/data\nlisteners=PLAINTEXT://127.0.0.1:81\n", self.file + ":2: ", "listeners", "81",
                     "Permission denied")

    def test_no_file(self):
        for path, why in (("/nonexistent/server.properties", "No such file"), (str(self.broker.folder), "Is a directory")):
            done = subprocess.run([server_program(), path], capture_output=True, text=True, timeout=10)
            self.assertEqual(done.returncode, 1)
            self.assertIn(path, done.stderr)
            self.assertIn(why, done.stderr)
        done = subprocess.run([server_program()], capture_output=True, text=True, timeout=10)
        self.assertEqual(done.returncode, 1)
        self.assertIn("usage:", done.stderr)

    def test_check(self):
        """--check says whether it is good and touches nothing."""
        code, said = self.broker.run("--check")
        self.assertEqual((code, said), (0, ""))
        self.assertFalse((self.broker.folder / "data").exists())
        code, said = self.broker.run("--check", "--override", "num.partition=3")
        self.assertEqual(code, 0)
        self.assertRegex(said, r"WARN .*num\.partition, did you mean num\.partitions\?")
        self.refused("{usual}\nnum.partitions=x\n", self.file + ":3: ", "num.partitions", arguments=("--check",))


class Good(unittest.TestCase):
    def broker(self, **properties):
        broker = Moldau(**properties)
        self.addCleanup(broker.__exit__, None)
        return broker

    def test_unknown_keys_are_warned_of(self):
        with self.broker(**{"num.partition": 3, "auto.create.topic.enable": "true", "completely.unknown.thing": 1,
                            "zookeeper.connect": "localhost:2181", "log.retention.hour": 1, "group.id": "x"}) as broker:
            file = re.escape(str(broker.folder / "server.properties"))
            broker.wait_for_line(rf"WARN .*{file}:4: unknown configuration num\.partition, did you mean num\.partitions\?")
            broker.wait_for_line(r"WARN .*auto\.create\.topic\.enable, did you mean auto\.create\.topics\.enable\?")
            broker.wait_for_line(r"WARN .*log\.retention\.hour, did you mean log\.retention\.hours\?")
            broker.wait_for_line(r"WARN .*unknown configuration completely\.unknown\.thing")
            self.assertFalse([l for l in broker.lines if "WARN" in l and "zookeeper.connect" in l])
            self.assertIn("num.partition", broker.log())

    # What the files that came with Kafka set, beside listeners and directories.
    ALWAYS = {"num.network.threads": 3, "num.io.threads": 8, "socket.send.buffer.bytes": 102400, "socket.receive.buffer.bytes": 102400,
              "socket.request.max.bytes": 104857600, "num.partitions": 1, "log.retention.hours": 168,
              "log.segment.bytes": 1073741824, "log.retention.check.interval.ms": 300000}
    TOPICS = {"num.recovery.threads.per.data.dir": 1, "offsets.topic.replication.factor": 1,
              "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1}
    ZOOKEEPER = {"node.id": None, "broker.id": 0, "zookeeper.connect": "localhost:2181"}
    AGES = {
        "0.8": ZOOKEEPER | {"listeners": None, "host.name": "127.0.0.1", "port": "PORT", "zookeeper.connection.timeout.ms": 1000000,
                            "log.flush.interval.messages": 10000, "log.flush.interval.ms": 1000, "log.cleaner.enable": "false"},
        "0.10": ZOOKEEPER | {"listeners": "PLAINTEXT://127.0.0.1:PORT", "num.recovery.threads.per.data.dir": 1,
                             "zookeeper.connection.timeout.ms": 6000, "delete.topic.enable": "true"},
        "2.8": TOPICS | ZOOKEEPER | {"group.initial.rebalance.delay.ms": 0, "zookeeper.connection.timeout.ms": 18000,
                                     "advertised.host.name": "127.0.0.1", "advertised.port": "PORT"},
        "3.9": TOPICS | {"process.roles": "broker,controller", "controller.quorum.voters": "1@localhost:OTHER",
                         "listeners": "PLAINTEXT://127.0.0.1:PORT,CONTROLLER://127.0.0.1:OTHER",
                         "inter.broker.listener.name": "PLAINTEXT", "advertised.listeners": "PLAINTEXT://localhost:PORT",
                         "controller.listener.names": "CONTROLLER", "listener.security.protocol.map":
                         "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL"},
        "4.3": TOPICS | {"process.roles": "broker,controller", "controller.quorum.bootstrap.servers": "localhost:OTHER",
                         "listeners": "PLAINTEXT://127.0.0.1:PORT,CONTROLLER://127.0.0.1:OTHER",
                         "inter.broker.listener.name": "PLAINTEXT", "controller.listener.names": "CONTROLLER",
                         "advertised.listeners": "PLAINTEXT://localhost:PORT,CONTROLLER://localhost:OTHER",
                         "share.coordinator.state.topic.replication.factor": 1, "share.coordinator.state.topic.min.isr": 1},
    }

    def test_files_of_every_age(self):
        """Served, under the id that the file gives, and without a word about names that were good in their time."""
        for age, settings in self.AGES.items():
            with self.subTest(age):
                port, other = free_port(), free_port()
                fill = lambda v: v and str(v).replace("PORT", str(port)).replace("OTHER", str(other))
                broker = Moldau(port=port)
                broker.properties |= {name: fill(value) for name, value in (self.ALWAYS | settings).items()}
                with broker:
                    with wire.Client(port) as client:
                        [(node, _, told, _)] = client.metadata([])[0]
                        self.assertEqual((node, told), (settings.get("broker.id", 1), port))
                        self.assertEqual(client.create_topic("t"), (wire.NONE, None))
                        self.assertEqual(client.produce("t", [b"x"]).offset, 0)
                    self.assertEqual([l for l in broker.lines if "unknown configuration" in l], [])
                    self.assertEqual(broker.stop(), 0)

    def test_started_lines(self):
        with self.broker() as broker:
            line = broker.wait_for_line(r"started \(kafka\.server\.KafkaServer\)$")
            self.assertRegex(line, r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] INFO \[KafkaServer id=1\] started \(kafka\.server\.KafkaServer\)$")
            broker.wait_for_line(rf"listening on PLAINTEXT://127\.0\.0\.1:{broker.port}; data in {re.escape(str(broker.folder))}/data")
            broker.wait_for_line(r"try: .*kcat -b localhost:%d" % broker.port)

    def test_started_line_with_roles(self):
        with self.broker(**{"process.roles": "broker,controller", "controller.listener.names": "CONTROLLER",
                            "controller.quorum.voters": f"1@localhost:{(other := free_port())}",
                            "listeners": f"PLAINTEXT://127.0.0.1:{(port := free_port())},CONTROLLER://127.0.0.1:{other}"}) as broker:
            broker.wait_for_line(r"INFO \[KafkaRaftServer nodeId=1\] Kafka Server started \(kafka\.server\.KafkaRaftServer\)$")
            with wire.Client(port) as client:
                self.assertEqual(client.create_topic("t"), (wire.NONE, None))

    def test_ps_shows_the_properties_path(self):
        with self.broker() as broker:
            shown = subprocess.run(["ps", "-o", "args=", "-p", str(broker.process.pid)], capture_output=True, text=True).stdout
            self.assertIn(str(broker.folder / "server.properties"), shown)
            self.assertIn("moldau-server", shown)

    def test_listeners(self):
        """IPv6, several names, each told its own address; one that only its advertised name can be reached by."""
        ports = [free_port() for _ in range(3)]
        text = f"ONE://127.0.0.1:{ports[0]},SIX://[::1]:{ports[1]},BOTH://:{ports[2]}"
        try:
            with socket.socket(socket.AF_INET6) as s:
                s.bind(("::1", 0))
        except OSError as missing:
            skip(f"listeners on IPv6: {missing}")
        with self.broker(**{"listeners": text, "listener.security.protocol.map": "ONE:PLAINTEXT,SIX:PLAINTEXT,BOTH:PLAINTEXT",
                            "inter.broker.listener.name": "ONE",
                            "advertised.listeners": f"ONE://one.example:1111,SIX://[::1]:{ports[1]},BOTH://localhost:{ports[2]}"}) as broker:
            for host, port, told in (("127.0.0.1", ports[0], ("one.example", 1111)), ("::1", ports[1], ("::1", ports[1])),
                                     ("127.0.0.1", ports[2], ("localhost", ports[2])), ("::1", ports[2], ("localhost", ports[2]))):
                with wire.Client(port, host) as client:
                    self.assertEqual([b[1:3] for b in client.metadata([])[0]], [told])
            broker.wait_for_line(rf"listening on .*SIX://\[::1\]:{ports[1]}")
            with wire.Client(ports[1], "::1") as client:
                client.create_topic("shared")
                self.assertEqual(client.produce("shared", [b"by six"]).offset, 0)
            with wire.Client(ports[0]) as client:
                self.assertEqual([r.value for r in client.read_all("shared")], [b"by six"])

    def test_ipv4_and_ipv6_on_one_port(self):
        port = free_port()
        with self.broker(**{"listeners": f"FOUR://127.0.0.1:{port},SIX://[::1]:{port}", "inter.broker.listener.name": "FOUR",
                            "listener.security.protocol.map": "FOUR:PLAINTEXT,SIX:PLAINTEXT"}):
            for host in ("127.0.0.1", "::1"):
                with wire.Client(port, host) as client:
                    self.assertEqual([b[1] for b in client.metadata([])[0]], [host])

    def test_advertised_address_that_cannot_work(self):
        with self.broker(**{"listeners": f"PLAINTEXT://0.0.0.0:{(port := free_port())}",
                            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}"}) as broker:
            broker.wait_for_line(r"WARN .*advertised address PLAINTEXT://127\.0\.0\.1:\d+ is this machine only")
            self.assertEqual(len([l for l in broker.lines if "is this machine only" in l]), 1)


class Stop(BrokerTest):
    def test_sigterm_answers_what_is_under_way(self):
        """A long poll that waits and requests that flow: each request that was read is answered or was not carried out."""
        topic = self.topic()
        waiter = self.client()
        acknowledged, ended = [], threading.Event()

        def write():
            with wire.Client(self.broker.port) as client:
                try:
                    while True:
                        value = b"%d" % len(acknowledged)
                        acknowledged.append((client.produce(topic, [value]).offset, value))
                        if len(acknowledged) == 100:
                            ended.set()
                except (wire.Closed, OSError):
                    return
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        self.assertTrue(ended.wait(10))
        waiter.send(wire.FETCH, 6, wire.fetch_body(self.topic(), 0, 0, wait_ms=60000))
        begin = time.monotonic()
        self.assertEqual(self.broker.stop(), 0)
        took = time.monotonic() - begin
        self.assertLess(took, 8)
        print(f"\nSIGTERM under load to exit 0: {took:.2f} s", file=sys.stderr)
        writer.join(5)
        self.assertFalse(writer.is_alive())
        self.broker.wait_for_line("shut down completed")
        self.assertTrue((self.broker.folder / "data/.kafka_cleanshutdown").exists())
        self.broker.start()
        self.assertFalse((self.broker.folder / "data/.kafka_cleanshutdown").exists())
        with wire.Client(self.broker.port) as client:
            stored = [(r.offset, r.value) for r in client.read_all(topic)]
        self.assertEqual(stored[:len(acknowledged)], acknowledged)
        self.assertLessEqual(len(stored), len(acknowledged) + 1)
        self.broker.wait_for_line(r"Loaded \d+ logs; 0 of them were checked")

    def test_other_signals(self):
        for number in (signal.SIGINT, signal.SIGHUP):
            with Moldau() as broker:
                broker.process.send_signal(number)
                self.assertEqual(broker.process.wait(10), 0)
                broker.wait_for_line("shutting down on " + number.name)

    def test_twice(self):
        """A second SIGTERM while it stops changes nothing."""
        with Moldau() as broker:
            broker.process.send_signal(signal.SIGTERM)
            broker.process.send_signal(signal.SIGTERM)
            self.assertEqual(broker.process.wait(10), 0)


class Time(unittest.TestCase):
    def until_served(self, broker):
        """Seconds from the start of the process to the first reply."""
        begin = time.monotonic()
        starter = threading.Thread(target=broker.start)
        starter.start()
        while True:
            try:
                with wire.Client(broker.port) as client:
                    client.api_versions()
                break
            except (ConnectionRefusedError, wire.Closed):
                self.assertLess(time.monotonic() - begin, 20, broker.log())
        took = time.monotonic() - begin
        starter.join()
        return took

    def test_time_to_the_first_reply(self):
        broker = Moldau()
        self.addCleanup(broker.__exit__, None)
        fresh = self.until_served(broker)
        resting = broker.rss_kb() / 1024
        with wire.Client(broker.port, timeout=60) as client:
            begin = time.monotonic()
            self.assertEqual(client.create_topic("many", 2000), (wire.NONE, None))
            made = time.monotonic() - begin
            one = wire.batch([b"x" * 100])
            for partition in range(0, 2000, 20):
                self.assertEqual(client.produce("many", [], partition, data=one).offset, 0)
        broker.kill()
        killed = self.until_served(broker)
        with wire.Client(broker.port) as client:
            for partition in (0, 1000, 1980):
                self.assertEqual(len(client.read_all("many", partition)), 1)
        print(f"\nstart to first reply: empty {fresh * 1000:.0f} ms; 2,000 partitions after kill -9 {killed * 1000:.0f} ms;"
              f" made in {made:.1f} s; memory {resting:.1f} MiB empty, {broker.rss_kb() / 1024:.1f} MiB with 2,000", file=sys.stderr)
        self.assertLess(fresh, 2)
        self.assertLess(killed, 5)
