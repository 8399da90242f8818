//! Settings that Kafka does not have. `keeper.<name of zoo.cfg>` settings are no rows: they go to the keeper in this process
//! as they are.

use super::settings;

settings! {
    + "ottla.metrics.port" Int "9404" [Range(-1, 65535)] ReadOnly "Port of the HTTP server with the Prometheus metrics; 0 picks a free one, -1 has none.";
    + "ottla.metrics.host" String "" [Any] ReadOnly "Address of the HTTP server with the Prometheus metrics; empty is every interface.";
}
