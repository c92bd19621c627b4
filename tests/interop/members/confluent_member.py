"""A member by confluent-kafka (see groups.py)."""
from confluent_kafka import Consumer, KafkaException, TopicPartition
from member import Member


def main():
    me = Member()
    timing = {"group.protocol": "consumer"} if me.protocol == "consumer" else {
        "session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "partition.assignment.strategy": "range"}
    consumer = Consumer({"bootstrap.servers": me.bootstrap, "group.id": me.group, "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "topic.metadata.refresh.interval.ms": 1000, **timing})
    consumer.subscribe([me.topic])
    while not me.ended.is_set():
        records = [r for r in consumer.consume(100, 0.1) if r.error() is None]
        me.assigned(p.partition for p in consumer.assignment())
        offsets = {}
        for one in records:
            me.say("read", one.partition(), one.offset())
            offsets[one.partition()] = one.offset() + 1
        if not offsets:
            continue
        try:
            consumer.commit(offsets=[TopicPartition(me.topic, p, o, "by a member") for p, o in offsets.items()], asynchronous=False)
            for partition, told in offsets.items():
                me.say("committed", partition, told)
        except KafkaException as error:
            me.say("uncommitted", error)
    consumer.close()
    me.say("closed")


main()
