//! The root of Salon: the command line, the settings, logs and metrics, and starting and stopping a node.
//! The only place that knows all crates; nothing here decides what a meeting is, or answers anybody.
//! Next: `start.rs`.

pub mod cli;
pub mod config;
mod private;
pub mod start;
pub mod telemetry;

pub use config::Config;
pub use start::run;
