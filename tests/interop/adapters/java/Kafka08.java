import java.nio.ByteBuffer;
import java.util.*;
import java.util.concurrent.Future;
import kafka.api.FetchRequestBuilder;
import kafka.api.PartitionOffsetRequestInfo;
import kafka.common.ErrorMapping;
import kafka.common.TopicAndPartition;
import kafka.javaapi.*;
import kafka.javaapi.consumer.SimpleConsumer;
import kafka.message.Message;
import kafka.message.MessageAndOffset;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * 0.8.2: its Java producer (or, with api=scala, its Scala producer) and the SimpleConsumer, which finds leaders and keeps
 * offsets by itself: Produce 0, Fetch 0, ListOffsets 0, Metadata 0.
 */
public class Kafka08 extends Adapter {
    private final String host;
    private final int port;

    Kafka08(String bootstrap) {
        super(bootstrap);
        int colon = bootstrap.lastIndexOf(':');
        host = bootstrap.substring(0, colon);
        port = Integer.parseInt(bootstrap.substring(colon + 1));
    }

    public static void main(String[] args) throws Exception { new Kafka08(args[0]).serve(); }

    @Override long[] produce(Command c, List<Rec> records) throws Exception {
        if (c.text("api", "java").equals("scala")) return produceByScala(c, records);
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("compression.type", c.text("codec"));
        p.put("linger.ms", "5");
        p.put("metadata.fetch.timeout.ms", "20000");
        p.put("max.request.size", c.text("max", "1048576"));
        if (c.fields.containsKey("acks")) p.put("acks", c.text("acks"));
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
        try {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (Rec r : records)
                sent.add(producer.send(new ProducerRecord<>(c.text("topic"), c.number("partition"), r.key, r.value)));
            long[] offsets = new long[sent.size()];
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

    /** The partitioner of the Scala producer, which chooses by key alone: the partition stands in the partition key. */
    public static class ByPartitionKey implements kafka.producer.Partitioner {
        public ByPartitionKey(kafka.utils.VerifiableProperties properties) {}
        @Override public int partition(Object key, int partitions) { return (Integer) key; }
    }

    private long[] produceByScala(Command c, List<Rec> records) {
        Properties p = new Properties();
        p.put("metadata.broker.list", bootstrap);
        p.put("serializer.class", "kafka.serializer.DefaultEncoder");
        p.put("key.serializer.class", "kafka.serializer.DefaultEncoder");
        p.put("partitioner.class", ByPartitionKey.class.getName());
        p.put("compression.codec", c.text("codec"));
        p.put("request.required.acks", c.text("acks", "0").equals("all") ? "-1" : c.text("acks", "0"));
        kafka.javaapi.producer.Producer<byte[], byte[]> producer =
            new kafka.javaapi.producer.Producer<>(new kafka.producer.ProducerConfig(p));
        try {
            List<kafka.producer.KeyedMessage<byte[], byte[]>> messages = new ArrayList<>();
            int bytes = 0;
            for (Rec r : records) { // what one call sends is one message set, and for the broker one batch, however large
                messages.add(new kafka.producer.KeyedMessage<>(c.text("topic"), r.key, c.number("partition"), r.value));
                bytes += r.value == null ? 0 : r.value.length;
                if (bytes < 300_000) continue;
                producer.send(messages);
                messages.clear();
                bytes = 0;
            }
            if (!messages.isEmpty()) producer.send(messages);
        } finally {
            producer.close();
        }
        long[] offsets = new long[records.size()];
        Arrays.fill(offsets, -1);
        return offsets;
    }

    private SimpleConsumer connect(String host, int port) { return new SimpleConsumer(host, port, 20_000, 1 << 16, "interop-0.8.2.2"); }

    private TopicMetadata metadata(String topic) {
        SimpleConsumer seed = connect(host, port);
        try {
            TopicMetadata m = seed.send(new TopicMetadataRequest(Collections.singletonList(topic))).topicsMetadata().get(0);
            check(m.errorCode(), "metadata of " + topic);
            return m;
        } finally {
            seed.close();
        }
    }

    private SimpleConsumer leader(Command c) {
        for (PartitionMetadata p : metadata(c.text("topic")).partitionsMetadata())
            if (p.partitionId() == c.number("partition")) {
                check(p.errorCode(), "metadata of " + c.text("topic") + "-" + p.partitionId());
                return connect(p.leader().host(), p.leader().port());
            }
        throw new IllegalStateException("no partition " + c.number("partition") + " in the metadata of " + c.text("topic"));
    }

    private static void check(short code, String what) {
        if (code != 0) throw new IllegalStateException(what + ": error " + code + " (" + ErrorMapping.exceptionFor(code) + ")");
    }

    private static byte[] bytes(ByteBuffer buffer) {
        if (buffer == null) return null;
        byte[] b = new byte[buffer.remaining()];
        buffer.duplicate().get(b);
        return b;
    }

    @Override void consume(Command c, Sink sink) throws Exception {
        SimpleConsumer consumer = leader(c);
        try {
            while (!sink.done()) {
                kafka.api.FetchRequest request = new FetchRequestBuilder().clientId("interop-0.8.2.2").maxWait(c.number("wait")).minBytes(1)
                    .addFetch(c.text("topic"), c.number("partition"), sink.next(), Integer.parseInt(c.text("fetch", "1048576"))).build();
                FetchResponse response = consumer.fetch(request);
                check(response.errorCode(c.text("topic"), c.number("partition")), "fetch at offset " + sink.next());
                for (MessageAndOffset m : response.messageSet(c.text("topic"), c.number("partition"))) {
                    if (m.offset() < sink.next()) continue; // a compressed set begins before the offset that was asked for
                    Message message = m.message();
                    message.ensureValid();
                    sink.add(m.offset(), bytes(message.key()), bytes(message.payload()), null, Collections.emptyList());
                }
            }
        } finally {
            consumer.close();
        }
    }

    @Override int partitions(Command c) { return metadata(c.text("topic")).partitionsMetadata().size(); }

    @Override long[] offsets(Command c) {
        SimpleConsumer consumer = leader(c);
        try {
            return new long[] {offset(consumer, c, kafka.api.OffsetRequest.EarliestTime()), offset(consumer, c, kafka.api.OffsetRequest.LatestTime())};
        } finally {
            consumer.close();
        }
    }

    private static long offset(SimpleConsumer consumer, Command c, long time) {
        TopicAndPartition tp = new TopicAndPartition(c.text("topic"), c.number("partition"));
        OffsetResponse response = consumer.getOffsetsBefore(new OffsetRequest(
            Collections.singletonMap(tp, new PartitionOffsetRequestInfo(time, 1)), (short) 0, "interop-0.8.2.2"));
        check(response.errorCode(tp.topic(), tp.partition()), "offsets of " + tp);
        return response.offsets(tp.topic(), tp.partition())[0];
    }
}
