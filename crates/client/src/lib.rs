//! Clients: producer, consumer, admin and keeper client.
