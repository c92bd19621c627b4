import java.util.*;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

/** The Java client of 0.9 and 0.10: no headers; timestamps since 0.10, found by reflection. */
public class Kafka09 extends Adapter {
    private final Map<String, KafkaConsumer<byte[], byte[]>> consumers = new HashMap<>();

    Kafka09(String bootstrap) { super(bootstrap); }

    public static void main(String[] args) throws Exception { new Kafka09(args[0]).serve(); }

    @SuppressWarnings("unchecked")
    private static ProducerRecord<byte[], byte[]> record(String topic, int partition, Rec r) throws Exception {
        try {
            return ProducerRecord.class.getConstructor(String.class, Integer.class, Long.class, Object.class, Object.class)
                .newInstance(topic, partition, r.timestamp, r.key, r.value);
        } catch (NoSuchMethodException e) {
            return new ProducerRecord<>(topic, partition, r.key, r.value);
        }
    }

    private static Long timestamp(ConsumerRecord<byte[], byte[]> r) throws Exception {
        try {
            return (Long) ConsumerRecord.class.getMethod("timestamp").invoke(r);
        } catch (NoSuchMethodException e) {
            return null;
        }
    }

    @Override long[] produce(Command c, List<Rec> records) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("compression.type", c.text("codec"));
        p.put("linger.ms", "5");
        p.put("max.block.ms", "20000");
        p.put("max.request.size", c.text("max", "1048576"));
        if (c.fields.containsKey("acks")) p.put("acks", c.text("acks"));
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
        try {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (Rec r : records) sent.add(producer.send(record(c.text("topic"), c.number("partition"), r)));
            long[] offsets = new long[sent.size()];
            // with acks=0 these clients report base offset -1 plus the place in the batch
            boolean told = !"0".equals(c.text("acks", "1"));
            for (int i = 0; i < offsets.length; i++) {
                long offset = sent.get(i).get().offset();
                offsets[i] = told ? offset : -1;
            }
            return offsets;
        } finally {
            producer.close();
        }
    }

    private KafkaConsumer<byte[], byte[]> consumer(String fetch, String wait) {
        return consumers.computeIfAbsent(fetch + " " + wait, unused -> {
            Properties p = new Properties();
            p.put("bootstrap.servers", bootstrap);
            p.put("enable.auto.commit", "false");
            p.put("auto.offset.reset", "none");
            p.put("max.partition.fetch.bytes", fetch);
            p.put("fetch.max.wait.ms", wait);
            return new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        });
    }

    @Override void consume(Command c, Sink sink) throws Exception {
        KafkaConsumer<byte[], byte[]> consumer = consumer(c.text("fetch", "1048576"), c.text("wait"));
        TopicPartition tp = new TopicPartition(c.text("topic"), c.number("partition"));
        consumer.assign(Collections.singletonList(tp));
        consumer.seek(tp, sink.next());
        while (!sink.done())
            for (ConsumerRecord<byte[], byte[]> r : consumer.poll(500))
                sink.add(r.offset(), r.key(), r.value(), timestamp(r), Collections.emptyList());
    }

    @Override int partitions(Command c) { return consumer("1048576", "10").partitionsFor(c.text("topic")).size(); }

    @Override long[] offsets(Command c) throws Exception {
        KafkaConsumer<byte[], byte[]> consumer = consumer("1048576", "10");
        TopicPartition tp = new TopicPartition(c.text("topic"), c.number("partition"));
        consumer.assign(Collections.singletonList(tp));
        seek(consumer, "seekToBeginning", tp);
        long earliest = consumer.position(tp);
        seek(consumer, "seekToEnd", tp);
        return new long[] {earliest, consumer.position(tp)};
    }

    private static void seek(KafkaConsumer<byte[], byte[]> consumer, String method, TopicPartition tp) throws Exception {
        try { // 0.10 takes a collection, 0.9 an array
            KafkaConsumer.class.getMethod(method, Collection.class).invoke(consumer, Collections.singletonList(tp));
        } catch (NoSuchMethodException e) {
            KafkaConsumer.class.getMethod(method, TopicPartition[].class).invoke(consumer, (Object) new TopicPartition[] {tp});
        }
    }
}
