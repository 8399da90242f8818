//! The broker through its front door: frames in, frames out, on a simulated disk, with the controller played by the test.

mod acls;
mod bad_input;
mod controller;
mod fetch;
mod groups;
mod harness;
mod metadata;
mod offsets;
mod produce;
mod threads;
