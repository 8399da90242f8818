//! Settings of what an operator sees and limits: admin server, audit log, throttling.

use super::{ConfigError, Property, at_least, boolean, number};

/// Those settings, named as in `zoo.cfg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorConfig {
    /// `audit.enable`
    pub audit: bool,
    /// `admin.idleTimeout`, in milliseconds.
    pub admin_idle_timeout_ms: u64,
    /// `admin.commandURL`
    pub admin_command_url: String,
    pub admin_snapshot_enabled: bool,
    pub admin_restore_enabled: bool,
    /// `admin.rateLimiterIntervalInMS`
    pub admin_rate_limiter_interval_ms: u64,
    /// `requestThrottleLimit`: requests that may be under way before no more are taken; 0 is no limit.
    pub request_throttle_limit: usize,
    /// `largeRequestMaxBytes`: all large requests under way together.
    pub large_request_max_bytes: usize,
    /// `largeRequestThreshold`: a request with more bytes is large; `None` is none (-1 in the file).
    pub large_request_threshold: Option<usize>,
    /// `fsync.warningthresholdms`
    pub fsync_warning_threshold_ms: u64,
    /// `metricsProvider.httpHost`
    pub metrics_host: String,
    /// The settings as they were given (`initial_configuration`).
    pub initial_config: Option<String>,
}

impl Default for OperatorConfig {
    fn default() -> Self {
        Self {
            audit: false,
            admin_idle_timeout_ms: 30_000,
            admin_command_url: "/commands".to_owned(),
            admin_snapshot_enabled: true,
            admin_restore_enabled: true,
            admin_rate_limiter_interval_ms: 300_000,
            request_throttle_limit: 0,
            large_request_max_bytes: 100 << 20,
            large_request_threshold: None,
            fsync_warning_threshold_ms: 1_000,
            metrics_host: "0.0.0.0".to_owned(),
            initial_config: None,
        }
    }
}

impl OperatorConfig {
    /// Takes a setting over; false when it is not one of these.
    pub(super) fn set(&mut self, key: &str, p: &Property) -> Result<bool, ConfigError> {
        match key {
            "audit.enable" => self.audit = boolean(p)?,
            "admin.idleTimeout" => self.admin_idle_timeout_ms = at_least(p, 1)?,
            "admin.commandURL" => {
                let url = p.value.trim_end_matches('/');
                if !url.starts_with('/') {
                    let message = format!("{}={}: must be a path such as /commands", p.key, p.value);
                    return Err(ConfigError { line: p.line, message });
                }
                self.admin_command_url = url.to_owned();
            }
            "admin.snapshot.enabled" => self.admin_snapshot_enabled = boolean(p)?,
            "admin.restore.enabled" => self.admin_restore_enabled = boolean(p)?,
            "admin.rateLimiterIntervalInMS" => self.admin_rate_limiter_interval_ms = number(p)?,
            "requestThrottleLimit" | "request_throttle_max_requests" => self.request_throttle_limit = number(p)?,
            "largeRequestMaxBytes" => self.large_request_max_bytes = number(p)?,
            // Negative stands for "no request is large".
            "largeRequestThreshold" => self.large_request_threshold = usize::try_from(number::<i64>(p)?).ok(),
            "fsync.warningthresholdms" => self.fsync_warning_threshold_ms = number(p)?,
            "metricsProvider.httpHost" => self.metrics_host.clone_from(&p.value),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ZooConfig;

    #[test]
    fn settings_are_read_by_both_of_their_names() {
        let text = "dataDir=/d\nclientPort=1\naudit.enable=true\nzookeeper.request_throttle_max_requests=7\n\
                    largeRequestThreshold=-1\nadmin.commandURL=/zk/\nadmin.snapshot.enabled=false\n";
        let operator = ZooConfig::parse(text).expect("good").operator;
        assert!(operator.audit && !operator.admin_snapshot_enabled && operator.admin_restore_enabled);
        assert_eq!((operator.request_throttle_limit, operator.large_request_threshold), (7, None));
        assert_eq!(operator.admin_command_url, "/zk");
        for wrong in ["audit.enable=maybe", "admin.commandURL=commands", "largeRequestMaxBytes=lots"] {
            ZooConfig::parse(&format!("dataDir=/d\nclientPort=1\n{wrong}")).expect_err(wrong);
        }
    }
}
