"""confluent-kafka (librdkafka): python confluent.py BOOTSTRAP"""
import sys

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from adapter import Adapter


class Confluent(Adapter):
    def __init__(self, bootstrap):
        super().__init__(bootstrap)
        self.consumers = {}

    def produce(self, fields, records):
        options = {'bootstrap.servers': self.bootstrap, 'linger.ms': 5, 'compression.type': fields['codec'],
                   'message.max.bytes': int(fields.get('max', 1000000)), 'message.timeout.ms': 30000}
        if 'acks' in fields:
            options['acks'] = fields['acks']
        if 'idempotence' in fields:
            options['enable.idempotence'] = fields['idempotence'] == 'true'
        producer = Producer(options)
        offsets, errors = [None] * len(records), []

        def delivered(place):
            def callback(error, message):
                if error is not None:
                    errors.append(error)
                else:
                    offsets[place] = -1 if fields.get('acks') == '0' else message.offset()
            return callback

        for place, r in enumerate(records):
            producer.produce(fields['topic'], r.value, r.key, partition=int(fields['partition']), headers=r.headers or None,
                             timestamp=r.timestamp or 0, on_delivery=delivered(place))
        left = producer.flush(35)
        if errors:
            raise KafkaException(errors[0])
        if left:
            raise TimeoutError('%d records not acknowledged after 35 s' % left)
        return offsets

    def consumer(self, fetch='1048576', wait='10'):
        if (fetch, wait) not in self.consumers:
            self.consumers[fetch, wait] = Consumer({
                'bootstrap.servers': self.bootstrap, 'group.id': 'unused', 'enable.auto.commit': False,
                'auto.offset.reset': 'error', 'max.partition.fetch.bytes': int(fetch),
                'fetch.wait.max.ms': int(wait)})
        return self.consumers[fetch, wait]

    def consume(self, fields, sink):
        consumer = self.consumer(fields.get('fetch', '1048576'), fields['wait'])
        consumer.assign([TopicPartition(fields['topic'], int(fields['partition']), sink.next)])
        try:
            while not sink.done():
                for m in consumer.consume(500, 0.05):
                    if m.error() is not None:
                        if m.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                            continue  # its metadata is older than the topic
                        raise KafkaException(m.error())
                    if m.offset() >= sink.next:
                        sink.add(m.offset(), m.key(), m.value(), m.timestamp()[1], m.headers() or [])
        finally:
            consumer.unassign()

    def partitions(self, fields):
        topic = self.consumer().list_topics(fields['topic'], 20).topics[fields['topic']]
        if topic.error is not None:
            raise KafkaException(topic.error)
        return len(topic.partitions)

    def offsets(self, fields):
        return self.consumer().get_watermark_offsets(TopicPartition(fields['topic'], int(fields['partition'])), 20)

    def create(self, topic, partitions, configs):
        admin = AdminClient({'bootstrap.servers': self.bootstrap})
        for future in admin.create_topics([NewTopic(topic, partitions, 1, config=configs)], operation_timeout=20).values():
            future.result()


if __name__ == '__main__':
    Confluent(sys.argv[1]).serve()
