//! One file per API: what it serves, which versions, and how it deviates.

pub mod api_versions;
