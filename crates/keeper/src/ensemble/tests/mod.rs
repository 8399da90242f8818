//! Servers of an ensemble with their disks and wires, in one thread.

mod scenarios;
mod seeds;
mod world;
