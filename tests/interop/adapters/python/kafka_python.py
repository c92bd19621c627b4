"""kafka-python, 2.0.2 and newest: python kafka_python.py BOOTSTRAP"""
import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaTimeoutError

from adapter import Adapter


class KafkaPython(Adapter):
    def __init__(self, bootstrap):
        super().__init__(bootstrap)
        self.consumers = {}

    def produce(self, fields, records):
        options = {'bootstrap_servers': self.bootstrap, 'linger_ms': 5, 'max_block_ms': 20000,
                   'max_request_size': int(fields.get('max', 1048576)),
                   'compression_type': None if fields['codec'] == 'none' else fields['codec']}
        if 'acks' in fields:
            options['acks'] = 'all' if fields['acks'] == 'all' else int(fields['acks'])
        if 'idempotence' in fields:
            options['enable_idempotence'] = fields['idempotence'] == 'true'
        producer = KafkaProducer(**options)
        try:
            sent = []
            for r in records:
                sent.append(producer.send(fields['topic'], value=r.value, key=r.key, partition=int(fields['partition']),
                                          timestamp_ms=r.timestamp, headers=r.headers or None))
                if len(r.value or b'') > 500000:
                    self.flush(producer)  # 2.0.2 at times never sends what waits behind a big batch, on Kafka as well
            self.flush(producer)
            # with acks=0 the client counts from offset -1
            return [-1 if fields.get('acks') == '0' else f.get(30).offset for f in sent]
        finally:
            producer.close()

    @staticmethod
    def flush(producer):
        """2.0.2 at times misses the wake-up of a flush and leaves the last batch unsent: a second flush wakes it again."""
        for turn in range(10):
            try:
                return producer.flush(3)
            except KafkaTimeoutError:
                if turn == 9:
                    raise

    def consumer(self, fetch='1048576', wait='10'):
        if (fetch, wait) not in self.consumers:
            self.consumers[fetch, wait] = KafkaConsumer(
                bootstrap_servers=self.bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset='none',
                max_partition_fetch_bytes=int(fetch), fetch_max_wait_ms=int(wait))
        return self.consumers[fetch, wait]

    def consume(self, fields, sink):
        consumer = self.consumer(fields.get('fetch', '1048576'), fields['wait'])
        tp = TopicPartition(fields['topic'], int(fields['partition']))
        consumer.assign([tp])
        consumer.seek(tp, sink.next)
        while not sink.done():
            for batch in consumer.poll(500).values():
                for r in batch:
                    timestamp = -1 if r.timestamp is None else r.timestamp
                    sink.add(r.offset, r.key, r.value, timestamp, list(r.headers))

    def partitions(self, fields):
        return len(self.consumer().partitions_for_topic(fields['topic']) or ())

    def offsets(self, fields):
        tp = TopicPartition(fields['topic'], int(fields['partition']))
        return self.consumer().beginning_offsets([tp])[tp], self.consumer().end_offsets([tp])[tp]

    def create(self, topic, partitions, configs):
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=1, topic_configs=configs)], timeout_ms=20000)
        finally:
            admin.close()


if __name__ == '__main__':
    KafkaPython(sys.argv[1]).serve()
