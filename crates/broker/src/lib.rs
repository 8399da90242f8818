//! The broker: handlers, replicas, controller, coordinators, metadata and purgatory.
