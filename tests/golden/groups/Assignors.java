// Records what Kafka's server-side assignors decide, for src/group/assignor_test.cc.
// java -cp '<jars of kafka 4.3.1>' Assignors.java > assignors.txt
import java.util.*;
import java.util.stream.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.*;
import org.apache.kafka.coordinator.group.assignor.*;
import org.apache.kafka.coordinator.group.modern.MemberAssignmentImpl;

public class Assignors {
  record Sub(Set<Uuid> topics, String instance) implements MemberSubscription {
    public Optional<String> rackId() { return Optional.empty(); }
    public Optional<String> instanceId() { return Optional.ofNullable(instance); }
    public Set<Uuid> subscribedTopicIds() { return topics; }
  }
  static class Spec implements GroupSpec {
    LinkedHashMap<String, Sub> subs = new LinkedHashMap<>();
    Map<String, Map<Uuid, Set<Integer>>> old = new HashMap<>();
    public Collection<String> memberIds() { return subs.keySet(); }
    public SubscriptionType subscriptionType() {
      return subs.values().stream().map(Sub::topics).distinct().count() <= 1 ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS;
    }
    public boolean isPartitionAssigned(Uuid t, int p) {
      for (String m : subs.keySet()) if (old.getOrDefault(m, Map.of()).getOrDefault(t, Set.of()).contains(p)) return true;
      return false;
    }
    public boolean isPartitionAssignable(Uuid t, int p) { return true; }
    public MemberSubscription memberSubscription(String m) { return subs.get(m); }
    public MemberAssignment memberAssignment(String m) {
      return new MemberAssignmentImpl(Collections.unmodifiableMap(old.getOrDefault(m, Map.of())));
    }
  }
  static void line(char kind, String id, String middle, List<Uuid> topics, Map<Uuid, Set<Integer>> a) {
    String parts = IntStream.range(0, topics.size()).filter(i -> a.containsKey(topics.get(i)) && !a.get(topics.get(i)).isEmpty())
      .mapToObj(i -> i + ":" + a.get(topics.get(i)).stream().sorted().map(String::valueOf).collect(Collectors.joining(","))).collect(Collectors.joining(" "));
    System.out.println((kind + " " + id + middle + " " + parts).trim());
  }
  public static void main(String[] args) {
    Random random = new Random(848);
    for (int c = 0; c < 240; c++) {
      boolean uniform = c % 2 == 0, same = c % 4 < 2;
      ConsumerGroupPartitionAssignor assignor = uniform ? new UniformAssignor() : new RangeAssignor();
      TreeSet<Uuid> ids = new TreeSet<>();
      int nTopics = c % 8 < 2 ? 1 : 1 + random.nextInt(6);
      while (ids.size() < nTopics) ids.add(new Uuid(random.nextLong() >>> 1, random.nextLong() >>> 1));
      List<Uuid> topics = new ArrayList<>(ids);
      Map<Uuid, Integer> counts = new HashMap<>();
      boolean even = random.nextInt(3) == 0; int evenCount = 1 + random.nextInt(20);
      for (Uuid t : topics) counts.put(t, even ? evenCount : random.nextInt(random.nextInt(4) == 0 ? 60 : 12) + 1);
      SubscribedTopicDescriber describer = new SubscribedTopicDescriber() {
        public int numPartitions(Uuid t) { return counts.getOrDefault(t, -1); }
        public Set<Integer> assignablePartitions(Uuid t) { return IntStream.range(0, counts.get(t)).boxed().collect(Collectors.toSet()); }
        public Set<String> racksForPartition(Uuid t, int p) { return Set.of(); }
      };
      TreeMap<String, Sub> members = new TreeMap<>();
      Map<String, Map<Uuid, Set<Integer>>> last = new HashMap<>();
      for (int round = 0; round < 5; round++) {
        // Somebody leaves, somebody comes, a topic grows, somebody thinks again.
        int leave = round == 0 ? 0 : random.nextInt(Math.min(3, members.size() + 1));
        for (int i = 0; i < leave && members.size() > 1; i++) members.remove(new ArrayList<>(members.keySet()).get(random.nextInt(members.size())));
        int join = round == 0 ? 1 + random.nextInt(random.nextInt(5) == 0 ? 40 : 8) : random.nextInt(3);
        for (int i = 0; i < join; i++) {
          Set<Uuid> t = same ? new HashSet<>(topics) : topics.stream().filter(x -> random.nextBoolean()).collect(Collectors.toSet());
          members.put(String.format("m%06x", random.nextInt(1 << 24)), new Sub(t, random.nextInt(4) == 0 ? "i" + random.nextInt(1 << 20) : null));
        }
        if (round == 2) { Uuid t = topics.get(random.nextInt(topics.size())); counts.put(t, counts.get(t) + random.nextInt(7)); }
        if (!same && round > 0) { String m = members.firstKey(); members.put(m, new Sub(topics.stream().filter(x -> random.nextBoolean()).collect(Collectors.toSet()), members.get(m).instance())); }
        Spec spec = new Spec();
        spec.subs.putAll(members);
        last.keySet().retainAll(members.keySet());
        spec.old = last;
        System.out.println("case " + assignor.name());
        for (Uuid t : topics) System.out.println("t " + t + " " + counts.get(t));
        for (var e : members.entrySet()) {
          String s = IntStream.range(0, topics.size()).filter(i -> e.getValue().topics().contains(topics.get(i))).mapToObj(String::valueOf).collect(Collectors.joining(","));
          line('m', e.getKey(), " " + (e.getValue().instance() == null ? "-" : e.getValue().instance()) + " " + (s.isEmpty() ? "-" : s), topics, last.getOrDefault(e.getKey(), Map.of()));
        }
        GroupAssignment result = assignor.assign(spec, describer);
        Map<String, Map<Uuid, Set<Integer>>> next = new HashMap<>();
        for (String m : members.keySet()) {
          Map<Uuid, Set<Integer>> a = result.members().containsKey(m) ? result.members().get(m).partitions() : Map.of();
          TreeMap<Uuid, Set<Integer>> copy = new TreeMap<>();
          a.forEach((t, p) -> { if (!p.isEmpty()) copy.put(t, new TreeSet<>(p)); });
          next.put(m, copy);
          line('r', m, "", topics, copy);
        }
        last = next;
        System.out.println("end");
      }
    }
  }
}
