"""Old clients, whose records are converted, that do not read what they asked for."""
import os, socket, struct, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from scenario import BrokerTest, wait_until


class DeafOld(BrokerTest):
    def test_large_converted_fetches_unread(self):
        """Fetch 2, which is converted, from clients that read nothing: as bounded as those of Fetch 6."""
        topic, client = self.topic(), self.client()
        one = wire.batch([b"x" * 1000] * 500)
        for _ in range(40):
            self.assertEqual(client.produce(topic, [], data=one).error, wire.NONE)
        part = struct.pack(">iqi", 0, 0, 20 << 20)
        frame = wire.request(wire.FETCH, 2, struct.pack(">iii", -1, 100, 1) + wire.array([wire.string(topic) + wire.array([part])]))
        with self.others_served(), self.memory_bounded(200):
            deaf = []
            for _ in range(40):
                c = self.client()
                c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                c.socket.sendall(frame)
                deaf.append(c)
            wait_until(lambda: self.client().api_versions(), "all have been looked at", 60)


del BrokerTest
