//! One file per command.

mod broker_api_versions;
mod configs;
mod console_producer;
mod consumer_groups;
mod delete_records;
mod get_offsets;
mod log_dirs;
mod producer_perf_test;
mod topics;
mod zookeeper_topics;

use crate::tool::Tool;

/// Every command, as `ottla --help` lists them.
pub static ALL: &[Tool] = &[
    broker_api_versions::TOOL,
    configs::TOOL,
    console_producer::TOOL,
    consumer_groups::TOOL,
    delete_records::TOOL,
    get_offsets::TOOL,
    log_dirs::TOOL,
    producer_perf_test::TOOL,
    topics::TOOL,
];
