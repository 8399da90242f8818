//! Clients: producer, consumer, admin and keeper client.

pub mod keeper_client;
