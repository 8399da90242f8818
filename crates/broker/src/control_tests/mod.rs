//! The control plane around a fake keeper: cases, and chaos from seeds.

mod admin;
mod chaos;
mod cluster;
mod fake_keeper;
mod life;
