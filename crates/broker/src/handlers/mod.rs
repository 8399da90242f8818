//! One file per API: what it serves, which versions, and how it deviates.
