import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import org.apache.curator.framework.*;
import org.apache.curator.framework.api.*;
import org.apache.curator.framework.api.transaction.*;
import org.apache.curator.framework.recipes.atomic.*;
import org.apache.curator.framework.recipes.barriers.*;
import org.apache.curator.framework.recipes.cache.*;
import org.apache.curator.framework.recipes.leader.*;
import org.apache.curator.framework.recipes.locks.*;
import org.apache.curator.framework.recipes.nodes.*;
import org.apache.curator.framework.recipes.queue.*;
import org.apache.curator.framework.recipes.shared.*;
import org.apache.curator.framework.recipes.watch.*;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.*;
import org.apache.zookeeper.*;

/** Curator's recipes over a keeper: `CuratorSuite HOST:PORT`; a line per check, exits 1 on a failure. */
public class CuratorSuite {
    interface Check { void run() throws Exception; }

    static String address;
    static CuratorFramework one, two;
    static int failed = 0;

    static void check(String name, Check check) {
        try {
            check.run();
            System.out.println("ok " + name + " ");
        } catch (Throwable t) {
            failed++;
            System.out.println("FAILED " + name + ": " + t);
            t.printStackTrace(System.out);
        }
    }

    static void equal(Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) throw new AssertionError("expected " + expected + ", got " + actual);
    }

    static void eventually(String what, Callable<Boolean> condition) throws Exception {
        for (int i = 0; i < 200; i++) {
            if (condition.call()) return;
            Thread.sleep(50);
        }
        throw new AssertionError(what + " not in 10 s");
    }

    static CuratorFramework connect() throws Exception {
        CuratorFramework c = CuratorFrameworkFactory.builder().connectString(address).namespace("suite").sessionTimeoutMs(6000).connectionTimeoutMs(5000).retryPolicy(new RetryNTimes(10, 100)).build();
        c.start();
        if (!c.blockUntilConnected(15, TimeUnit.SECONDS)) throw new AssertionError("not connected in 15 s");
        return c;
    }

    /** Ends a client's session on the server, as if it had run out: a second connection takes it up and closes it. */
    static void expire(CuratorFramework c) throws Exception {
        ZooKeeper zk = c.getZookeeperClient().getZooKeeper();
        CountDownLatch up = new CountDownLatch(1);
        ZooKeeper twin = new ZooKeeper(address, 6000, e -> { if (e.getState() == Watcher.Event.KeeperState.SyncConnected) up.countDown(); }, zk.getSessionId(), zk.getSessionPasswd());
        if (!up.await(10, TimeUnit.SECONDS)) throw new AssertionError("the session was not taken up");
        twin.close();
    }

    static byte[] bytes(String s) { return s.getBytes(StandardCharsets.UTF_8); }

    public static void main(String[] args) throws Exception {
        address = args[0];
        one = connect();
        two = connect();
        ExecutorService pool = Executors.newCachedThreadPool();
        check("leader-latch", () -> {
            LeaderLatch a = new LeaderLatch(one, "/latch", "a"), b = new LeaderLatch(two, "/latch", "b");
            a.start();
            equal(true, a.await(10, TimeUnit.SECONDS));
            b.start();
            eventually("two participants", () -> a.getParticipants().size() == 2);
            equal("a", b.getLeader().getId());
            a.close();
            equal(true, b.await(10, TimeUnit.SECONDS));
            b.close();
        });
        check("leader-selector", () -> {
            var order = new LinkedBlockingQueue<String>();
            var selectors = new ArrayList<LeaderSelector>();
            for (CuratorFramework c : List.of(one, two)) {
                LeaderSelector s = new LeaderSelector(c, "/selector", new LeaderSelectorListenerAdapter() {
                    public void takeLeadership(CuratorFramework client) throws Exception { order.add(client == one ? "one" : "two"); Thread.sleep(50); }
                });
                s.autoRequeue();
                s.start();
                selectors.add(s);
            }
            for (var seen = new HashSet<String>(); seen.size() < 2; ) seen.add(Objects.requireNonNull(order.poll(10, TimeUnit.SECONDS), "nobody leads"));
            for (LeaderSelector s : selectors) s.close();
        });
        check("mutex", () -> {
            AtomicInteger inside = new AtomicInteger(), most = new AtomicInteger(), total = new AtomicInteger();
            var work = new ArrayList<Callable<Void>>();
            for (int i = 0; i < 8; i++) {
                InterProcessMutex lock = new InterProcessMutex(i % 2 == 0 ? one : two, "/mutex");
                work.add(() -> {
                    for (int n = 0; n < 5; n++) {
                        equal(true, lock.acquire(20, TimeUnit.SECONDS));
                        most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                        total.incrementAndGet();
                        inside.decrementAndGet();
                        lock.release();
                    }
                    return null;
                });
            }
            for (var f : pool.invokeAll(work, 60, TimeUnit.SECONDS)) f.get();
            equal(1, most.get());
            equal(40, total.get());
        });
        check("read-write-lock-and-semaphore", () -> {
            var a = new InterProcessReadWriteLock(one, "/rw");
            var b = new InterProcessReadWriteLock(two, "/rw");
            equal(true, a.readLock().acquire(5, TimeUnit.SECONDS));
            equal(true, b.readLock().acquire(5, TimeUnit.SECONDS));
            equal(false, b.writeLock().acquire(300, TimeUnit.MILLISECONDS));
            a.readLock().release();
            b.readLock().release();
            equal(true, b.writeLock().acquire(5, TimeUnit.SECONDS));
            equal(false, a.readLock().acquire(300, TimeUnit.MILLISECONDS));
            b.writeLock().release();
            var semaphore = new InterProcessSemaphoreV2(one, "/semaphore", 2);
            var leases = semaphore.acquire(2, 5, TimeUnit.SECONDS);
            equal(null, new InterProcessSemaphoreV2(two, "/semaphore", 2).acquire(300, TimeUnit.MILLISECONDS));
            semaphore.returnAll(leases);
        });
        check("counters", () -> {
            var work = new ArrayList<Callable<Void>>();
            for (CuratorFramework c : List.of(one, two)) work.add(() -> {
                var counter = new DistributedAtomicLong(c, "/counter", new RetryNTimes(50, 5));
                for (int i = 0; i < 20; i++) equal(true, counter.increment().succeeded());
                return null;
            });
            for (var f : pool.invokeAll(work, 60, TimeUnit.SECONDS)) f.get();
            equal(40L, new DistributedAtomicLong(one, "/counter", new RetryNTimes(5, 5)).get().postValue());
            SharedCount a = new SharedCount(one, "/shared", 7), b = new SharedCount(two, "/shared", 7);
            a.start();
            b.start();
            a.setCount(9);
            eventually("the shared count", () -> b.getCount() == 9);
            a.close();
            b.close();
        });
        check("caches", () -> {
            var seen = new ConcurrentSkipListMap<String, String>();
            CuratorCache cache = CuratorCache.build(two, "/cache");
            cache.listenable().addListener(CuratorCacheListener.builder().forCreatesAndChanges((old, now) -> seen.put(now.getPath(), new String(now.getData())))
                .forDeletes(old -> seen.remove(old.getPath())).build());
            cache.start();
            PathChildrenCache children = new PathChildrenCache(two, "/cache/a", true);
            children.start(PathChildrenCache.StartMode.BUILD_INITIAL_CACHE);
            one.create().orSetData().creatingParentsIfNeeded().forPath("/cache/a/b", bytes("1"));
            one.create().creatingParentContainersIfNeeded().forPath("/cache/c/d/e", bytes("2"));
            one.setData().forPath("/cache/a/b", bytes("3"));
            eventually("the tree", () -> "3".equals(seen.get("/cache/a/b")) && "2".equals(seen.get("/cache/c/d/e")));
            eventually("the children", () -> children.getCurrentData("/cache/a/b") != null && "3".equals(new String(children.getCurrentData("/cache/a/b").getData())));
            one.delete().guaranteed().deletingChildrenIfNeeded().forPath("/cache/c");
            eventually("the deletion", () -> seen.keySet().stream().noneMatch(p -> p.startsWith("/cache/c")));
            cache.close();
            children.close();
            TreeCache tree = TreeCache.newBuilder(two, "/cache").build();
            tree.start();
            eventually("the older cache", () -> tree.getCurrentData("/cache/a/b") != null);
            tree.close();
        });
        check("queue-and-barriers", () -> {
            SimpleDistributedQueue queue = new SimpleDistributedQueue(one, "/queue");
            for (int i = 0; i < 5; i++) queue.offer(bytes("" + i));
            for (int i = 0; i < 5; i++) equal("" + i, new String(new SimpleDistributedQueue(two, "/queue").poll(5, TimeUnit.SECONDS)));
            DistributedBarrier barrier = new DistributedBarrier(one, "/barrier");
            barrier.setBarrier();
            var waits = pool.submit(() -> new DistributedBarrier(two, "/barrier").waitOnBarrier(10, TimeUnit.SECONDS));
            Thread.sleep(100);
            equal(false, waits.isDone());
            barrier.removeBarrier();
            equal(true, waits.get());
            var work = new ArrayList<Callable<Boolean>>();
            for (CuratorFramework c : List.of(one, two)) work.add(() -> {
                var both = new DistributedDoubleBarrier(c, "/double", 2);
                return both.enter(10, TimeUnit.SECONDS) && both.leave(10, TimeUnit.SECONDS);
            });
            for (var f : pool.invokeAll(work, 30, TimeUnit.SECONDS)) equal(true, f.get());
        });
        check("transactions-and-protection", () -> {
            String made = one.create().creatingParentsIfNeeded().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/tx/p-");
            equal(true, made.startsWith("/tx/_c_"));
            var results = one.transaction().forOperations(one.transactionOp().create().forPath("/tx/a", bytes("x")), one.transactionOp().check().withVersion(0).forPath("/tx/a"), one.transactionOp().setData().forPath("/tx/a", bytes("y")));
            equal(List.of("/tx/a", "/tx/a", "/tx/a"), results.stream().map(CuratorTransactionResult::getForPath).toList());
            try { one.transaction().forOperations(one.transactionOp().create().forPath("/tx/b"), one.transactionOp().delete().forPath("/tx/none")); throw new AssertionError("went through"); } catch (KeeperException.NoNodeException e) { }
            equal(null, one.checkExists().forPath("/tx/b"));
            equal("y", new String(one.getData().forPath("/tx/a")));
        });
        check("ttl-and-groups", () -> {
            PersistentTtlNode ttl = new PersistentTtlNode(one, "/ttl", 60_000, bytes("t"));
            ttl.start();
            equal(true, ttl.waitForInitialCreate(10, TimeUnit.SECONDS));
            ttl.close();
            GroupMember a = new GroupMember(one, "/members", "a", bytes("1")), b = new GroupMember(two, "/members", "b", bytes("2"));
            a.start();
            b.start();
            eventually("the members", () -> a.getCurrentMembers().keySet().equals(Set.of("a", "b")) && b.getCurrentMembers().size() == 2);
            b.close();
            eventually("the leaving", () -> a.getCurrentMembers().keySet().equals(Set.of("a")));
            a.close();
        });
        check("session-loss", () -> {
            CuratorFramework third = connect();
            var states = new LinkedBlockingQueue<ConnectionState>();
            third.getConnectionStateListenable().addListener((c, s) -> states.add(s));
            LeaderLatch latch = new LeaderLatch(third, "/lost", "third"), next = new LeaderLatch(one, "/lost", "one");
            latch.start();
            equal(true, latch.await(10, TimeUnit.SECONDS));
            next.start();
            PersistentNode node = new PersistentNode(third, CreateMode.EPHEMERAL, false, "/again", bytes("n"));
            node.start();
            equal(true, node.waitForInitialCreate(10, TimeUnit.SECONDS));
            long before = one.checkExists().forPath("/again").getEphemeralOwner();
            expire(third);
            equal(true, next.await(10, TimeUnit.SECONDS));
            eventually("the node of the new session", () -> one.checkExists().forPath("/again") != null && one.checkExists().forPath("/again").getEphemeralOwner() != before);
            equal(true, states.contains(ConnectionState.LOST) && states.contains(ConnectionState.RECONNECTED));
            next.close();
            equal(true, latch.await(10, TimeUnit.SECONDS));
            for (AutoCloseable c : List.of(node, latch, third)) c.close();
        });
        one.delete().deletingChildrenIfNeeded().forPath("/");
        System.exit(failed == 0 ? 0 : 1);
    }
}
