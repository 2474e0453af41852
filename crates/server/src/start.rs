//! What a node needs to start beside the crates it is made of.

pub mod announced;
