import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** One member of a group (see groups.py): Member BOOTSTRAP GROUP TOPIC PROTOCOL. Compiles against every client from 0.9 on. */
public class Member {
    private static final AtomicBoolean ended = new AtomicBoolean();

    public static void main(String[] arguments) throws Exception {
        Thread input = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (java.io.IOException gone) {
                // as its end
            }
            ended.set(true);
        });
        input.setDaemon(true);
        input.start();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties(arguments))) {
            consumer.subscribe(Arrays.asList(arguments[2]), new Quiet());
            String shown = "";
            while (!ended.get()) {
                ConsumerRecords<byte[], byte[]> records = poll(consumer);
                shown = show(consumer, shown);
                if (!records.isEmpty()) work(consumer, records);
            }
        }
        System.out.println("closed");
    }

    private static Properties properties(String[] arguments) {
        Properties p = new Properties();
        p.put("bootstrap.servers", arguments[0]);
        p.put("group.id", arguments[1]);
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "earliest");
        p.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        p.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        if (arguments[3].equals("consumer")) {
            p.put("group.protocol", "consumer");
        } else {
            p.put("session.timeout.ms", "6000");
            p.put("heartbeat.interval.ms", "500");
        }
        return p;
    }

    private static void work(KafkaConsumer<byte[], byte[]> consumer, ConsumerRecords<byte[], byte[]> records) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : records) {
            System.out.println("read " + record.partition() + " " + record.offset());
            offsets.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1, "by a member"));
        }
        try {
            consumer.commitSync(offsets);
            for (Map.Entry<TopicPartition, OffsetAndMetadata> e : offsets.entrySet())
                System.out.println("committed " + e.getKey().partition() + " " + e.getValue().offset());
        } catch (org.apache.kafka.common.KafkaException rebalanced) {
            System.out.println("uncommitted " + rebalanced);
        }
    }

    private static String show(KafkaConsumer<byte[], byte[]> consumer, String shown) {
        TreeSet<Integer> partitions = new TreeSet<>();
        for (TopicPartition p : consumer.assignment()) partitions.add(p.partition());
        List<String> words = new ArrayList<>();
        for (Integer p : partitions) words.add(p.toString());
        String now = "assigned " + String.join(",", words);
        if (!now.equals(shown)) System.out.println(now);
        return now;
    }

    /** poll(long) until 3.x, poll(Duration) since 2.0. */
    @SuppressWarnings("unchecked")
    private static ConsumerRecords<byte[], byte[]> poll(KafkaConsumer<byte[], byte[]> consumer) throws Exception {
        for (Method m : KafkaConsumer.class.getMethods()) {
            if (!m.getName().equals("poll") || m.getParameterTypes().length != 1) continue;
            boolean modern = m.getParameterTypes()[0] != long.class;
            if (!modern && hasModern()) continue;
            try {
                return (ConsumerRecords<byte[], byte[]>) m.invoke(consumer, modern ? (Object) java.time.Duration.ofMillis(100) : (Object) 100L);
            } catch (java.lang.reflect.InvocationTargetException e) {
                if (e.getCause() instanceof org.apache.kafka.common.KafkaException) {
                    System.out.println("trouble " + e.getCause());
                    return ConsumerRecords.empty();
                }
                throw e;
            }
        }
        throw new IllegalStateException("no poll");
    }

    private static boolean hasModern() {
        try {
            KafkaConsumer.class.getMethod("poll", java.time.Duration.class);
            return true;
        } catch (NoSuchMethodException old) {
            return false;
        }
    }

    private static class Quiet implements ConsumerRebalanceListener {
        public void onPartitionsRevoked(java.util.Collection<TopicPartition> partitions) { }
        public void onPartitionsAssigned(java.util.Collection<TopicPartition> partitions) { }
    }
}
