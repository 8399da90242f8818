//! Servers of an ensemble with their disks and wires, in one thread.

mod modes;
mod reconfigurations;
mod scenarios;
mod seeds;
mod world;
