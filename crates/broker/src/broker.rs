//! What the connections of one broker share, and the way from a frame to its answer.
