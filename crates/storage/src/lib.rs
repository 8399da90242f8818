//! The partition log: segments, indexes, producer state, recovery, retention and cleaning, in Kafka's own files.
//!
//! Start with [`log::Log`] (one partition) and [`log_manager::LogManager`] (all of a broker). Never does network, threads
//! or clocks; bytes reach the disk only through [`ottla_base::disk::Disk`].

pub mod batch;
pub mod checkpoint;
pub mod config;
pub mod dump;
pub mod error;
pub mod folder;
pub mod fuzz;
pub mod index_file;
pub mod leader_epoch_cache;
pub mod log;
pub mod log_cleaner;
pub mod log_dir;
pub mod log_loader;
pub mod log_manager;
mod log_recovery;
pub mod log_segment;
pub mod log_validator;
pub mod meta_properties;
pub mod offset_index;
pub mod offset_map;
pub mod partition_metadata;
pub mod producer_snapshot;
pub mod producer_state_manager;
pub mod record_walk;
pub mod time_index;
pub mod transaction_index;

#[cfg(test)]
mod cleaner_tests;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod manager_tests;
#[cfg(test)]
mod test_support;

pub use config::{LogConfig, ManagerConfig};
pub use error::{AppendError, ReadError, StorageError};
pub use log::{AppendInfo, AppendOptions, AppendOrigin, Log, LogRead, ReadBound, SharedLog};
pub use log_manager::LogManager;
