package org.apache.curator.test;

import java.net.ServerSocket;
import java.nio.file.Paths;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;
import ottla.KeeperProcess;

/** Stands before Curator's class of this name, by which all servers of its suite are started and ended. */
public class ZooKeeperServerEmbeddedAdapter implements ZooKeeperMainFace {
    private static final Map<String, List<KeeperProcess>> ENSEMBLES = new ConcurrentHashMap<>();

    private volatile KeeperProcess keeper;

    @Override
    public void start(QuorumPeerConfigBuilder builder) {
        try {
            Properties settings = builder.buildProperties();
            settings.putIfAbsent("reconfigEnabled", String.valueOf(QuorumPeerConfig.isReconfigEnabled()));
            settings.putIfAbsent("standaloneEnabled", String.valueOf(QuorumPeerConfig.isStandaloneEnabled()));
            if (settings.getProperty("clientPort").equals("0")) {
                try (ServerSocket socket = new ServerSocket(0)) {
                    settings.setProperty("clientPort", String.valueOf(socket.getLocalPort()));
                }
            }
            keeper = KeeperProcess.start(settings, Paths.get(settings.getProperty("dataDir")));
            long members = settings.stringPropertyNames().stream().filter(name -> name.startsWith("server.")).count();
            if (members > 1) {
                waitForQuorum(settings, members);
            }
        } catch (Exception e) {
            throw new FailedServerStartException(e);
        }
    }

    /** Curator waits for nothing here; its servers share a JVM, and are quicker together than processes are. */
    private void waitForQuorum(Properties settings, long members) throws Exception {
        List<KeeperProcess> all = ENSEMBLES.computeIfAbsent(settings.getProperty("server.1"), k -> new CopyOnWriteArrayList<>());
        all.add(keeper);
        if (all.stream().filter(KeeperProcess::isAlive).count() > members / 2) {
            keeper.waitFor("Mode: ", 20_000);
        }
    }

    @Override
    public int getClientPort() {
        return keeper.port();
    }

    @Override
    public void kill() {
        end(true);
    }

    @Override
    public void close() {
        end(false);
    }

    private void end(boolean kill) {
        if (keeper != null) {
            keeper.stop(kill);
            keeper = null;
        }
    }
}
