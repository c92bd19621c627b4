import java.time.Duration;
import java.lang.reflect.Method;
import java.util.*;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.*;

/** The Java client from 0.11 to 4.3: headers, idempotence, an admin client. Compiled against each version's own jars. */
public class Kafka011 extends Adapter {
    private final Map<String, KafkaConsumer<byte[], byte[]>> consumers = new HashMap<>();

    Kafka011(String bootstrap) { super(bootstrap); }

    public static void main(String[] args) throws Exception { new Kafka011(args[0]).serve(); }

    @Override long[] produce(Command c, List<Rec> records) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("compression.type", c.text("codec"));
        p.put("linger.ms", "5");
        p.put("max.block.ms", "20000");
        p.put("max.request.size", c.text("max", "1048576"));
        if (c.fields.containsKey("acks")) p.put("acks", c.text("acks"));
        if (c.fields.containsKey("idempotence")) p.put("enable.idempotence", c.text("idempotence"));
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
        try {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (Rec r : records) {
                ProducerRecord<byte[], byte[]> record =
                    new ProducerRecord<>(c.text("topic"), c.number("partition"), r.timestamp, r.key, r.value);
                for (Header h : r.headers) record.headers().add(new RecordHeader(h.name, h.value));
                sent.add(producer.send(record));
            }
            long[] offsets = new long[sent.size()];
            boolean told = !"0".equals(c.text("acks", "1")); // some versions report -1 plus the place in the batch
            for (int i = 0; i < offsets.length; i++) {
                RecordMetadata m = sent.get(i).get();
                offsets[i] = told ? m.offset() : -1;
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

    @SuppressWarnings("unchecked")
    private static ConsumerRecords<byte[], byte[]> poll(KafkaConsumer<byte[], byte[]> consumer) throws Exception {
        try { // poll(Duration) came with 2.0, poll(long) went with 4.0
            Method poll = KafkaConsumer.class.getMethod("poll", Duration.class);
            return (ConsumerRecords<byte[], byte[]>) poll.invoke(consumer, Duration.ofMillis(500));
        } catch (NoSuchMethodException e) {
            return (ConsumerRecords<byte[], byte[]>) KafkaConsumer.class.getMethod("poll", long.class).invoke(consumer, 500L);
        }
    }

    @Override void consume(Command c, Sink sink) throws Exception {
        KafkaConsumer<byte[], byte[]> consumer = consumer(c.text("fetch", "1048576"), c.text("wait"));
        TopicPartition tp = new TopicPartition(c.text("topic"), c.number("partition"));
        consumer.assign(Collections.singletonList(tp));
        consumer.seek(tp, sink.next());
        while (!sink.done())
            for (ConsumerRecord<byte[], byte[]> r : poll(consumer)) {
                List<Header> headers = new ArrayList<>();
                for (org.apache.kafka.common.header.Header h : r.headers()) headers.add(new Header(h.key(), h.value()));
                sink.add(r.offset(), r.key(), r.value(), r.timestamp(), headers);
            }
    }

    @Override int partitions(Command c) { return consumer("1048576", "10").partitionsFor(c.text("topic")).size(); }

    @Override long[] offsets(Command c) {
        List<TopicPartition> tp = Collections.singletonList(new TopicPartition(c.text("topic"), c.number("partition")));
        KafkaConsumer<byte[], byte[]> consumer = consumer("1048576", "10");
        return new long[] {consumer.beginningOffsets(tp).get(tp.get(0)), consumer.endOffsets(tp).get(tp.get(0))};
    }

    @Override void create(Command c) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("request.timeout.ms", "20000");
        Map<String, String> configs = new HashMap<>();
        for (Map.Entry<String, String> f : c.fields.entrySet())
            if (f.getKey().startsWith("config.")) configs.put(f.getKey().substring(7), f.getValue());
        AdminClient admin = AdminClient.create(p);
        try {
            NewTopic topic = new NewTopic(c.text("topic"), c.number("partitions"), (short) 1).configs(configs);
            admin.createTopics(Collections.singleton(topic)).all().get();
        } finally {
            admin.close();
        }
    }
}
