//! Clients: producer, consumer, admin and keeper client.

pub mod admin;
pub mod cluster;
pub mod config;
pub mod connection;
pub mod consumer;
pub mod error;
pub mod keeper_client;
pub mod producer;
pub mod zk_admin;

pub use admin::Admin;
pub use cluster::Cluster;
pub use config::{ClientConfig, ConsumerConfig, ProducerConfig, Properties};
pub use error::{ClientError, Result};
