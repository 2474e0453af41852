//! The doors of Salon, and the one place where meetings, media, storage and wire meet.
//! Reading order: `app` (start and stop), `hub` (live sessions), `signaling` and `rest` (the two doors), `media`.
//! Invariant: nothing is acknowledged through any door before it is durable.

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod content_type;
pub mod doors;
pub mod flows;
pub mod ids;
pub mod joint;
pub mod page;
pub mod quality;
pub mod rest;
pub mod rfc3339;
pub mod signaling;
mod start;
pub mod telemetry;
pub mod token;
pub mod web_address;

pub use app::run;
pub use config::Config;
