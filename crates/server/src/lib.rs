//! The doors of Salon, and the one place where meetings, media, storage and wire meet.
//! Reading order: `app` (start and stop), `signaling` and `rest` (the two doors), `joint` (live sessions and media).
//! Invariant: nothing is acknowledged through any door before it is durable.

pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod files;
pub mod joint;
pub mod listener;
pub mod page;
pub mod quality;
pub mod rest;
pub mod signaling;
pub mod telemetry;
pub mod token;

pub use app::{App, run};
pub use config::Config;
