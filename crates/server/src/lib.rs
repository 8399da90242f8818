//! The effects: sockets, sendfile, threads, timers, the real disk, metrics.
