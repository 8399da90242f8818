import java.util.Arrays;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

/**
 * ZooKeeper's own client, content with a server that is cut off, from there until there is a leader again. Arguments: the servers, a node
 * that is there, one that is not.
 */
public class ModesSuite {
    static final LinkedBlockingQueue<KeeperState> states = new LinkedBlockingQueue<>();

    static void until(KeeperState wanted) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(90);
        for (KeeperState state = null; state != wanted; state = states.poll(1, TimeUnit.SECONDS)) {
            if (state == KeeperState.Expired) throw new AssertionError("expired while waiting for " + wanted);
            if (System.nanoTime() > end) throw new AssertionError("not " + wanted);
        }
    }

    public static void main(String[] args) throws Exception {
        try (ZooKeeper zk = new ZooKeeper(args[0], 8000, event -> states.add(event.getState()), true)) {
            until(KeeperState.ConnectedReadOnly);
            long readOnly = zk.getSessionId();
            System.out.println("read " + new String(zk.getData(args[1], false, null)));
            System.out.println("children " + zk.getChildren("/", true).contains(args[1].substring(1)));
            try {
                zk.create(args[2], new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
                System.out.println("created");
            } catch (KeeperException.NotReadOnlyException e) {
                System.out.println("refused " + e.code());
            }
            System.out.println("waiting");
            System.out.flush();
            until(KeeperState.SyncConnected);
            System.out.println("another session " + (zk.getSessionId() != readOnly));
            zk.create(args[2], new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            System.out.println("created " + Arrays.asList(args).contains(args[2]) + " " + (zk.exists(args[2], false) != null));
        }
    }
}
