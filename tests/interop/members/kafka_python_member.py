"""A member by kafka-python (see groups.py)."""
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from member import Member


def offset(position):
    try:
        return OffsetAndMetadata(position, "by a member", -1)  # since 2.1 with the leader's epoch
    except TypeError:
        return OffsetAndMetadata(position, "by a member")


def main():
    me = Member()
    consumer = KafkaConsumer(bootstrap_servers=me.bootstrap, group_id=me.group, enable_auto_commit=False, auto_offset_reset="earliest",
                             session_timeout_ms=6000, heartbeat_interval_ms=500)
    consumer.subscribe([me.topic])
    while not me.ended.is_set():
        # Longer than a join takes: 3.0.12 forgets a join that its poll gave up waiting for, and stops its heartbeats, when the topic's
        # metadata came in the meantime (a poll of 20 to 160 ms: 1 in 40 new members on Kafka 4.3.1, 4 in 40 here).
        records = consumer.poll(1000)
        me.assigned(p.partition for p in consumer.assignment())
        for partition, some in records.items():
            for one in some:
                me.say("read", partition.partition, one.offset)
        offsets = {TopicPartition(p.topic, p.partition): offset(some[-1].offset + 1) for p, some in records.items() if some}
        if not offsets:
            continue
        try:
            consumer.commit(offsets)
            for partition, told in offsets.items():
                me.say("committed", partition.partition, told.offset)
        except KafkaError as error:
            me.say("uncommitted", repr(error))
    consumer.close(autocommit=False)
    me.say("closed")


main()
