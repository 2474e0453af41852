//! Logs and metrics: how this node tells what it is doing.
//! Owns the set-up of logging, once per process, and the metrics of one node, of which a process may run several.
//! What may be said in a log line, and how its fields are named, is in `docs/logging.md`.
//! Next: `telemetry/metrics.rs`.

mod media;
mod metrics;
mod quality;

use std::io;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

pub use media::media_readings;
pub use metrics::{CONTENT_TYPE, Metrics, Reading};
pub use quality::quality_readings;

/// Sends the log to standard error, as configured. Standard output belongs to the answers of commands.
///
/// # Errors
/// `log.level` is no filter, or this process logs already.
pub fn init_logs(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&log.level)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let outcome = match log.format {
        LogFormat::Text => lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    outcome.map_err(|err| anyhow::anyhow!("logging cannot start: {err}"))
}
