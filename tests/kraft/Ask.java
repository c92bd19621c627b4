// Asks a running broker what it knows, and makes it do a little first:
// java Ask.java BOOTSTRAP [create=TOPIC] [delete=TOPIC] [set=TOPIC,KEY,VALUE] [touch=TOPIC]
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

public class Ask {
  static void touch(String bootstrap, String topic) throws Exception {
    try (var producer = new KafkaProducer<String, String>(Map.of("bootstrap.servers", bootstrap, "max.block.ms", "20000"), new StringSerializer(), new StringSerializer())) {
      producer.send(new ProducerRecord<>(topic, 0, "k", "v")).get();
    }
    try (var consumer = new KafkaConsumer<String, String>(Map.of("bootstrap.servers", bootstrap), new StringDeserializer(), new StringDeserializer())) {
      var partition = new TopicPartition(topic, 0);
      System.out.println("end " + topic + " " + consumer.endOffsets(List.of(partition)).get(partition));
    }
  }

  // Returns when the broker that answers has heard of it, too.
  static void set(Admin admin, ConfigResource topic, String key, String value) throws Exception {
    admin.incrementalAlterConfigs(Map.of(topic, List.of(new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET)))).all().get();
    while (!value.equals(admin.describeConfigs(List.of(topic)).all().get().get(topic).get(key).value())) Thread.sleep(20);
  }

  public static void main(String[] words) throws Exception {
    try (var admin = Admin.create(Map.of("bootstrap.servers", words[0], "default.api.timeout.ms", "90000"))) {
      for (String word : Arrays.asList(words).subList(1, words.length)) {
        String[] what = word.split("=", 2), rest = what[1].split(",", 3);
        if (what[0].equals("create")) admin.createTopics(List.of(new NewTopic(rest[0], 2, (short) 1))).all().get();
        if (what[0].equals("delete")) admin.deleteTopics(List.of(rest[0])).all().get();
        if (what[0].equals("set")) set(admin, new ConfigResource(ConfigResource.Type.TOPIC, rest[0]), rest[1], rest[2]);
        if (what[0].equals("touch")) touch(words[0], rest[0]);
      }
      System.out.println("cluster " + admin.describeCluster().clusterId().get());
      for (var feature : new TreeMap<>(admin.describeFeatures().featureMetadata().get().finalizedFeatures()).entrySet())
        System.out.println("feature " + feature.getKey() + " " + feature.getValue().maxVersionLevel());
      var names = new TreeSet<>(admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get());
      var topics = admin.describeTopics(names).allTopicNames().get();
      for (String name : names)
        System.out.println("topic " + name + " " + topics.get(name).topicId() + " " + topics.get(name).partitions().size());
      var leaderless = new TreeSet<String>();
      for (var topic : topics.values())
        for (var p : topic.partitions()) if (p.leader() == null || p.leader().isEmpty()) leaderless.add(topic.name() + "-" + p.partition());
      System.out.println("leaderless " + leaderless);
      var resources = names.stream().map(n -> new ConfigResource(ConfigResource.Type.TOPIC, n)).toList();
      var configs = new TreeMap<String, String>();
      for (var resource : admin.describeConfigs(resources).all().get().entrySet())
        for (var entry : resource.getValue().entries())
          if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG)
            configs.put("config 2 " + resource.getKey().name() + " " + entry.name(), entry.value());
      configs.forEach((key, value) -> System.out.println(key + "=" + value));
      System.out.println("quorum " + admin.describeMetadataQuorum().quorumInfo().get().leaderId());
    }
  }
}
