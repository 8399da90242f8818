//! Settings of listeners, connections and requests.

use super::settings;

settings! {
    + "advertised.listeners" List null [Any] ReadOnly "Addresses that clients and other brokers are told to use, when they differ from listeners.";
    + "connections.max.idle.ms" Long "600000" [Any] ReadOnly "Connections without a request for this long are closed.";
    - "control.plane.listener.name" String null [Any] ReadOnly "Listener for the controller's requests alone.";
    - "early.start.listeners" List null [Any] ReadOnly "Listeners opened before authorization is ready.";
    + "fetch.max.bytes" Int "57671680" [Min(1024)] ReadOnly "Largest answer to a fetch, though never less than one batch.";
    + "inter.broker.listener.name" String null [Any] ReadOnly "Listener that brokers use among themselves.";
    + "listener.security.protocol.map" String "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT" [Any] PerBroker "Security protocol of each listener name.";
    + "listeners" List "PLAINTEXT://:9092" [Any] PerBroker "Addresses on which the broker listens, as NAME://host:port; an empty host is every interface.";
    - "max.connection.creation.rate" Int "2147483647" [Min(0)] ClusterWide "Most new connections each second.";
    + "max.connections" Int "2147483647" [Min(0)] ClusterWide "Most connections at once.";
    + "max.connections.per.ip" Int "2147483647" [Min(0)] ClusterWide "Most connections at once from one address.";
    + "max.connections.per.ip.overrides" String "" [Any] ClusterWide "Exceptions from max.connections.per.ip, as address:count, separated by commas.";
    + "max.incremental.fetch.session.cache.slots" Int "1000" [Min(0)] ReadOnly "Most incremental fetch sessions at once.";
    + "max.request.partition.size.limit" Int "2000" [Min(1)] ReadOnly "Most partitions that DescribeTopicPartitions answers with at once.";
    - "num.io.threads" Int "8" [Min(1)] ClusterWide "Kafka's request handler threads; requests are handled on the network threads here.";
    + "num.network.threads" Int "3" [Min(1)] ClusterWide "Threads that serve connections.";
    + "queued.max.request.bytes" Long "-1" [Any] ReadOnly "Most bytes that all large requests under way may take; 512 MiB when it is -1 or 0.";
    - "queued.max.requests" Int "500" [Min(1)] ReadOnly "Most requests waiting for a handler; none waits here, see queued.max.request.bytes.";
    - "request.timeout.ms" Int "30000" [Any] ReadOnly "How long a request of this broker to another waits for its answer.";
    - "socket.connection.setup.timeout.max.ms" Long "30000" [Any] ReadOnly "Longest wait for a connection to another broker.";
    - "socket.connection.setup.timeout.ms" Long "10000" [Any] ReadOnly "First wait for a connection to another broker.";
    + "socket.listen.backlog.size" Int "50" [Min(1)] ReadOnly "Connections that wait to be accepted.";
    + "socket.receive.buffer.bytes" Int "102400" [Any] ReadOnly "Receive buffer of each connection; -1 leaves it to the kernel.";
    + "socket.request.max.bytes" Int "104857600" [Min(1)] ReadOnly "Largest request.";
    + "socket.send.buffer.bytes" Int "102400" [Any] ReadOnly "Send buffer of each connection; -1 leaves it to the kernel.";
    + "port" Int "9092" [Range(0, 65535)] ReadOnly "Older form of listeners: the port.";
    + "host.name" String "" [Any] ReadOnly "Older form of listeners: the address to listen on.";
    + "advertised.host.name" String null [Any] ReadOnly "Older form of advertised.listeners: the host.";
    + "advertised.port" Int null [Range(0, 65535)] ReadOnly "Older form of advertised.listeners: the port.";
}
