//! From our words to the wire's. What only one service says is in that service's file.
//! Next: `to_wire/pushes.rs`, everything that a client is told without having asked.

pub mod frame;
pub mod people;
pub mod pushes;
