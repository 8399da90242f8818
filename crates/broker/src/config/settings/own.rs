//! Settings that Kafka does not have. `keeper.<name of zoo.cfg>` settings are no rows: they go to the keeper in this process
//! as they are.

use super::settings;

settings! {
    + "ottla.metrics.listener" String "127.0.0.1:9404" [Any] ReadOnly "host:port of the HTTP server with the Prometheus metrics; :port is every interface, port 0 picks a free one, and nothing at all means no server.";
}
