import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.*;
import org.apache.zookeeper.*;
import org.apache.zookeeper.data.*;

/** Checks of a keeper through the Java client: `KeeperSuite HOST:PORT`; a line per check, exits 1 on a failure. */
public class KeeperSuite {
    interface Check { void run() throws Exception; }

    static String address;
    static String root;
    static ZooKeeper zk;
    static int failed = 0;

    static void check(String name, Check check) {
        try {
            check.run();
            System.out.println("ok " + name);
        } catch (Throwable t) {
            failed++;
            System.out.println("FAILED " + name + ": " + t);
            t.printStackTrace(System.out);
        }
    }

    static void equal(Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) throw new AssertionError("expected " + expected + ", got " + actual);
    }

    static ZooKeeper connect(int timeout, Watcher watcher) throws Exception {
        CountDownLatch up = new CountDownLatch(1);
        ZooKeeper z = new ZooKeeper(address, timeout, e -> {
            if (e.getType() == Watcher.Event.EventType.None && e.getState() == Watcher.Event.KeeperState.SyncConnected) up.countDown();
            if (watcher != null) watcher.process(e);
        });
        if (!up.await(15, TimeUnit.SECONDS)) throw new AssertionError("not connected in 15 s");
        return z;
    }

    static String make(String name) throws Exception {
        return zk.create(root + name, new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    static void expect(BlockingQueue<String> events, String... expected) throws Exception {
        for (String e : expected) equal(e, events.poll(5, TimeUnit.SECONDS));
        equal(null, events.poll(200, TimeUnit.MILLISECONDS));
    }

    public static void main(String[] args) throws Exception {
        address = args[0];
        zk = connect(6000, null);
        root = zk.create("/suite-", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL);
        check("persistent-watch", () -> {
            var events = new LinkedBlockingQueue<String>();
            Watcher w = e -> events.add(e.getType() + " " + e.getPath().substring(root.length()));
            zk.addWatch(root + "/p", w, AddWatchMode.PERSISTENT);
            make("/p");
            make("/p/a");
            zk.setData(root + "/p", new byte[] {1}, -1);
            zk.setData(root + "/p/a", new byte[] {1}, -1);
            zk.delete(root + "/p/a", -1);
            expect(events, "NodeCreated /p", "NodeChildrenChanged /p", "NodeDataChanged /p", "NodeChildrenChanged /p");
            zk.removeWatches(root + "/p", w, Watcher.WatcherType.Any, false);
            expect(events, "PersistentWatchRemoved /p");
            zk.setData(root + "/p", new byte[] {2}, -1);
            expect(events);
        });
        check("recursive-watch", () -> {
            var events = new LinkedBlockingQueue<String>();
            make("/r");
            zk.addWatch(root + "/r", e -> events.add(e.getType() + " " + e.getPath().substring(root.length())), AddWatchMode.PERSISTENT_RECURSIVE);
            make("/r/a");
            make("/r/a/b");
            zk.setData(root + "/r/a/b", new byte[] {1}, -1);
            zk.delete(root + "/r/a/b", -1);
            expect(events, "NodeCreated /r/a", "NodeCreated /r/a/b", "NodeDataChanged /r/a/b", "NodeDeleted /r/a/b");
        });
        check("remove-watches", () -> {
            var events = new LinkedBlockingQueue<String>();
            make("/rm");
            zk.getData(root + "/rm", e -> events.add(e.getType() + " " + e.getPath().substring(root.length())), null);
            zk.removeAllWatches(root + "/rm", Watcher.WatcherType.Data, false);
            expect(events, "DataWatchRemoved /rm");
            try { zk.removeAllWatches(root + "/rm", Watcher.WatcherType.Data, false); throw new AssertionError("no watcher there"); } catch (KeeperException.NoWatcherException e) { }
        });
        check("multi", () -> {
            make("/m");
            var results = zk.multi(List.of(Op.create(root + "/m/a", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.create(root + "/m/s-", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL), Op.setData(root + "/m/a", new byte[] {1}, 0), Op.check(root + "/m/a", 1), Op.delete(root + "/m/a", 1)));
            equal(5, results.size());
            try {
                zk.multi(List.of(Op.create(root + "/m/x", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT), Op.delete(root + "/m/none", -1)));
                throw new AssertionError("the multi went through");
            } catch (KeeperException.NoNodeException e) {
                equal(2, e.getResults().size());
            }
            equal(null, zk.exists(root + "/m/x", false));
            var reads = zk.multi(List.of(Op.getData(root + "/m"), Op.getChildren(root + "/m"), Op.getData(root + "/none")));
            equal(List.of("s-0000000001"), ((OpResult.GetChildrenResult) reads.get(1)).getChildren());
            equal(KeeperException.Code.NONODE.intValue(), ((OpResult.ErrorResult) reads.get(2)).getErr());
        });
        check("container", () -> {
            String c = zk.create(root + "/c", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
            make("/c/child");
            equal(1, zk.exists(c, false).getNumChildren());
            zk.delete(root + "/c/child", -1);
        });
        check("create2", () -> {
            Stat stat = new Stat();
            zk.create(root + "/two", "abc".getBytes(StandardCharsets.UTF_8), ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, stat);
            equal(3, stat.getDataLength());
            equal(stat, zk.exists(root + "/two", false));
        });
        check("null-data", () -> {
            zk.create(root + "/null", null, ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            equal(null, zk.getData(root + "/null", false, null));
        });
        check("session-moves-with-its-watches", () -> {
            var events = new LinkedBlockingQueue<String>();
            make("/moved");
            ZooKeeper a = connect(6000, null);
            a.getData(root + "/moved", e -> { if (e.getType() != Watcher.Event.EventType.None) events.add(e.getType().toString()); }, null);
            a.create(root + "/moved/e", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            CountDownLatch up = new CountDownLatch(1);
            ZooKeeper b = new ZooKeeper(address, 6000, e -> { if (e.getState() == Watcher.Event.KeeperState.SyncConnected) up.countDown(); }, a.getSessionId(), a.getSessionPasswd());
            if (!up.await(10, TimeUnit.SECONDS)) throw new AssertionError("not taken up");
            equal(a.getSessionId(), b.getSessionId());
            equal(b.getSessionId(), zk.exists(root + "/moved/e", false).getEphemeralOwner());
            b.close();
            for (int i = 0; i < 50 && zk.exists(root + "/moved/e", false) != null; i++) Thread.sleep(50);
            equal(null, zk.exists(root + "/moved/e", false));
        });
        check("wrong-password-expires", () -> {
            CountDownLatch expired = new CountDownLatch(1);
            ZooKeeper b = new ZooKeeper(address, 6000, e -> { if (e.getState() == Watcher.Event.KeeperState.Expired) expired.countDown(); }, 0x1234567890L, new byte[16]);
            if (!expired.await(10, TimeUnit.SECONDS)) throw new AssertionError("not told that it expired");
            b.close();
        });
        check("ephemerals-and-counts", () -> {
            zk.create(root + "/eph", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            equal(List.of(root + "/eph"), zk.getEphemerals(root));
            if (zk.getAllChildrenNumber(root) < 5) throw new AssertionError("too few");
            equal("ip", zk.whoAmI().get(0).getAuthScheme());
        });
        check("pipelined-order", () -> {
            var order = new ConcurrentLinkedQueue<Integer>();
            CountDownLatch done = new CountDownLatch(2000);
            for (int i = 0; i < 1000; i++) {
                int n = i;
                zk.create(root + "/q-" + i, new byte[10], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, (rc, p, c, name) -> { order.add(rc == 0 ? 2 * n : -1); done.countDown(); }, null);
                zk.getData(root + "/q-" + i, false, (rc, p, c, d, s) -> { order.add(rc == 0 ? 2 * n + 1 : -2); done.countDown(); }, null);
            }
            if (!done.await(30, TimeUnit.SECONDS)) throw new AssertionError("unanswered: " + done.getCount());
            int i = 0;
            for (int n : order) equal(i++, n);
        });
        check("quota", () -> {
            make("/quota");
            zk.getConfig(false, null);
            try { zk.create("/zookeeper/quota" + root, null, ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT); } catch (KeeperException.NodeExistsException e) { }
        });
        ZKUtil.deleteRecursive(zk, root);
        zk.close();
        System.exit(failed == 0 ? 0 : 1);
    }
}
