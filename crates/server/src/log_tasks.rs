//! What is done to the logs in the background, by the settings that say how often.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ottla_base::time::Now;
use ottla_broker::broker::Broker;
use ottla_broker::config::BrokerConfig;
use ottla_storage::LogManager;

use crate::background::{Background, Task};
use crate::clock::Clock;

/// How often logs are looked at for a flush that is due; `log.flush.scheduler.interval.ms` may say less. Kafka's default is
/// "never", which makes `log.flush.interval.ms` a promise that is not kept.
const FLUSH_LOOK_MS: u64 = 1_000;
/// How often to look for coordinator partitions to be read in.
const LOAD_LOOK: Duration = Duration::from_millis(100);
/// How often files whose deletion is due are removed.
const DELETION_LOOK: Duration = Duration::from_secs(1);

fn ms(value: i64) -> Duration {
    u64::try_from(value).map_or(Duration::MAX, |ms| Duration::from_millis(ms.max(1)))
}

/// Starts the threads.
pub(crate) fn start(config: &BrokerConfig, broker: &Arc<Broker>, clock: Clock) -> io::Result<Vec<Background>> {
    let logs = broker.replicas.logs();
    let task = |name, delay, every, run: fn(&LogManager, Now)| {
        let logs = Arc::clone(logs);
        let run = move |now| {
            run(&logs, now);
            false
        };
        Task { name, delay, every, run: Box::new(run) }
    };
    let initial = ms(config.log_initial_task_delay_ms);
    let retention = ms(config.log_retention_check_interval_ms);
    let recovery = ms(i64::from(config.log_flush_offset_checkpoint_interval_ms));
    let start_offset = ms(i64::from(config.log_flush_start_offset_checkpoint_interval_ms));
    let high_watermark = ms(config.replica_high_watermark_checkpoint_interval_ms);
    let producers = ms(i64::from(config.producer_id_expiration_check_interval_ms));
    let flush = ms(config.log_flush_scheduler_interval_ms).min(Duration::from_millis(FLUSH_LOOK_MS));
    let tasks = vec![
        task("retention", initial, retention, |logs, now| {
            logs.run_retention(now);
        }),
        task("recovery point checkpoint", initial, recovery, |logs, _| logs.checkpoint_recovery_points()),
        task("log start checkpoint", initial, start_offset, |logs, _| logs.checkpoint_log_start_offsets()),
        task("high watermark checkpoint", high_watermark, high_watermark, |logs, _| logs.checkpoint_high_watermarks()),
        task("producer expiry", producers, producers, LogManager::remove_expired_producers),
        task("deletions", DELETION_LOOK, DELETION_LOOK, |logs, now| {
            logs.run_deletions(now);
        }),
    ];
    let loading = Arc::clone(broker);
    let load = move |now| loading.run_loads(now);
    let loads = vec![Task { name: "coordinator loads", delay: LOAD_LOOK, every: LOAD_LOOK, run: Box::new(load) }];
    let flushes = vec![task("flush", flush, flush, |logs, now| {
        logs.flush_sealed(now);
        logs.flush_dirty(now);
    })];
    let mut threads = vec![
        Background::start("ottla-logs", clock, tasks)?,
        Background::start("ottla-flush", clock, flushes)?,
        Background::start("ottla-load", clock, loads)?,
    ];
    if config.log_cleaner_enable {
        let backoff = ms(config.log_cleaner_backoff_ms);
        // Nobody outside may guess which keys meet in the cleaner's map.
        let secret = [crate::random_seed(), crate::random_seed()];
        let logs = Arc::clone(logs);
        let clean = move |now| logs.clean_one(secret, now).is_some();
        let clean = Task { name: "cleaning", delay: backoff, every: backoff, run: Box::new(clean) };
        threads.push(Background::start("ottla-cleaner", clock, vec![clean])?);
    }
    Ok(threads)
}
