//! The log of this process, to standard error. Standard output belongs to the answers of commands.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Sends the log to standard error, as configured.
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
