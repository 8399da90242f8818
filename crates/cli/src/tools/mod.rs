//! One file per command.

mod broker_api_versions;
mod configs;
mod console_consumer;
mod console_producer;
mod consumer_groups;
mod consumer_perf_test;
mod delete_records;
mod dump_log;
mod get_offsets;
mod keeper;
mod log_dirs;
mod producer_perf_test;
mod start;
mod stop;
mod topics;
mod zk;
mod zk_data_dir;
mod zk_snapshot;
mod zk_txn_log;
mod zookeeper_topics;

use crate::tool::Tool;

/// Every command, as `ottla --help` lists them.
pub static ALL: &[Tool] = &[
    start::TOOL,
    stop::STOP,
    keeper::KEEPER,
    stop::KEEPER_STOP,
    keeper::ZK_SERVER,
    broker_api_versions::TOOL,
    configs::TOOL,
    console_consumer::TOOL,
    console_producer::TOOL,
    consumer_groups::TOOL,
    consumer_perf_test::TOOL,
    delete_records::TOOL,
    dump_log::TOOL,
    get_offsets::TOOL,
    log_dirs::TOOL,
    producer_perf_test::TOOL,
    topics::TOOL,
    zk::TOOL,
    zk::SHELL,
    zk_txn_log::TOOL,
    zk_snapshot::FORMAT,
    zk_snapshot::COMPARE,
    zk_snapshot::SUMMARY,
    zk_data_dir::CLEANUP,
    zk_data_dir::INITIALIZE,
    zookeeper_topics::CREATE,
    zookeeper_topics::LIST,
];
