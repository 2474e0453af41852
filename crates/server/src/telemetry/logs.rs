//! The log of this process, to standard error. Standard output belongs to the answers of commands.

use std::io;

use tracing_subscriber::fmt::layer;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry;

use crate::config::{Log, LogFormat, levels};

/// Sends the log to standard error, as configured.
///
/// # Errors
/// `log.level` names no levels, or this process logs already.
pub fn init_logs(log: &Log) -> anyhow::Result<()> {
    let levels = levels(&log.level).ok_or_else(|| anyhow::anyhow!("log.level names no levels: {}", log.level))?;
    let lines = layer().with_writer(io::stderr);
    let outcome = match log.format {
        LogFormat::Text => registry().with(levels).with(lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr()))).try_init(),
        LogFormat::Json => registry().with(levels).with(lines.json().flatten_event(true)).try_init(),
    };
    outcome.map_err(|err| anyhow::anyhow!("logging cannot start: {err}"))
}
