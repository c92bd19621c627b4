"""Limits of connections that are changed while the broker runs, and still hold after the next start."""
import os, socket, struct, sys, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import Moldau
from scenario import wait_until

INCREMENTAL_ALTER_CONFIGS = 44


def alter(client, configs, broker=""):
    """Sets dynamic configurations of one broker, or of all; None: back to what they were."""
    one = lambda item: wire.string(item[0]) + struct.pack(">b", item[1] is None) + wire.nullable(item[1])
    body = wire.array([struct.pack(">b", 4) + wire.string(broker) + wire.array([one(i) for i in configs.items()])]) + b"\0"
    reply = client.call(INCREMENTAL_ALTER_CONFIGS, 0, body)
    reply.int32()
    [(error, message)] = reply.array(lambda: (reply.int16(), reply.string(), reply.take(1), reply.string())[:2])
    return error, message


def let_in(port, source):
    """Whether a new connection is served. One over its address's share is closed at once, one of many waits."""
    try:
        with wire.Client(port, source=source, timeout=0.5) as client:
            client.api_versions()
            return True
    except (wire.Closed, ConnectionResetError, BrokenPipeError, socket.timeout):
        return False


class Limits(unittest.TestCase):
    def test_of_an_address(self):
        with Moldau() as broker:
            with wire.Client(broker.port) as admin, wire.Client(broker.port, source="127.0.0.2") as other:
                other.api_versions()
                self.assertTrue(let_in(broker.port, "127.0.0.2"))
                self.assertEqual(alter(admin, {"max.connections.per.ip": "1"})[0], wire.NONE)
                wait_until(lambda: not let_in(broker.port, "127.0.0.2"), "the limit holds")
                other.api_versions()  # who is there stays
                self.assertEqual(alter(admin, {"max.connections.per.ip.overrides": "127.0.0.2:5"})[0], wire.NONE)
                wait_until(lambda: let_in(broker.port, "127.0.0.2"), "the override holds")
                self.assertEqual(alter(admin, {"max.connections.per.ip.overrides": None})[0], wire.NONE)
                wait_until(lambda: not let_in(broker.port, "127.0.0.2"), "the override is gone")
            self.assertEqual(broker.stop(), 0)
            broker.start()
            with wire.Client(broker.port, source="127.0.0.3") as one:
                one.api_versions()
                self.assertFalse(let_in(broker.port, "127.0.0.3"), "a dynamic limit holds from the start on")

    def test_of_a_listener(self):
        second = Moldau(listeners=None)
        ports = [second.port, second.port + 1]
        second.properties |= {"listeners": f"CLIENTS://127.0.0.1:{ports[0]},BROKERS://127.0.0.1:{ports[1]}",
                              "listener.security.protocol.map": "CLIENTS:PLAINTEXT,BROKERS:PLAINTEXT",
                              "inter.broker.listener.name": "BROKERS"}
        with second as broker:
            with wire.Client(ports[1]) as admin, wire.Client(ports[0]) as first:
                first.api_versions()
                self.assertEqual(alter(admin, {"listener.name.clients.max.connections": "1"}, broker="1")[0], wire.NONE)
                wait_until(lambda: not let_in(ports[0], "127.0.0.1"), "the limit holds")
                waiting = wire.Client(ports[0], timeout=0.5)
                self.addCleanup(waiting.close)
                with self.assertRaises(socket.timeout):
                    waiting.api_versions()
                waiting.socket.settimeout(10)
                self.assertTrue(let_in(ports[1], "127.0.0.1"))
                first.close()
                reply = wire.Reader(waiting.receive())  # the request from before
                self.assertGreater(reply.int32(), 0)


class Fewer(unittest.TestCase):
    def test_than_there_are(self):
        """max.connections is lowered: those idle for longest go, whoever is at work stays."""
        with Moldau(**{"num.network.threads": 2}) as broker:
            idle = [wire.Client(broker.port) for _ in range(20)]
            self.addCleanup(lambda: [client.close() for client in idle])
            for client in idle:
                client.api_versions()
            with wire.Client(broker.port) as admin:
                self.assertEqual(alter(admin, {"max.connections": "6"})[0], wire.NONE)
                closed = lambda: [client.is_closed(0.01) for client in idle]
                wait_until(lambda: closed().count(True) == 15, "all but six are closed")
                self.assertEqual(closed()[-2:], [False, False], "the last to be used, on two loops")
                admin.api_versions()
                broker.wait_for_line("more connections than max.connections")


class CreationRate(unittest.TestCase):
    def test_window(self):
        """A rate of 2 a second over (3 - 1) x 1 s: four at once and one more, then two a second."""
        with Moldau(**{"max.connection.creation.rate": 2, "quota.window.num": 3}) as broker:
            begin = time.monotonic()
            clients = [wire.Client(broker.port) for _ in range(9)]
            self.addCleanup(lambda: [client.close() for client in clients])
            clients[4].api_versions()
            at_once = time.monotonic() - begin
            clients[8].api_versions()
            took = time.monotonic() - begin
            self.assertLess(at_once, 1)
            self.assertGreater(took, 1.5)


class ControllerListener(unittest.TestCase):
    def test_is_not_opened_and_the_start_says_so(self):
        broker = Moldau(**{"process.roles": "broker,controller", "controller.listener.names": "CONTROLLER"})
        controller = broker.port + 1
        broker.properties |= {"listeners": f"PLAINTEXT://127.0.0.1:{broker.port},CONTROLLER://127.0.0.1:{controller}",
                              "controller.quorum.voters": f"1@127.0.0.1:{controller}",
                              "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"}
        with broker:
            broker.wait_for_line(f"controller listener CONTROLLER://127.0.0.1:{controller} is not opened")
            with self.assertRaises(ConnectionRefusedError):
                wire.Client(controller)


if __name__ == "__main__":
    unittest.main()
