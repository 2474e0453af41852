//! Logs and metrics: how this node tells what it is doing.
//! Owns the set-up of logging, once per process, and the metrics of one node, of which a process may run several.
//! What may be said in a log line, and how its fields are named, is in `docs/logging.md`.
//! Next: `telemetry/metrics.rs`.

mod media;
mod metrics;
mod quality;

use std::io;
use std::sync::Arc;

use salon_sfu::Sfu;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};
use crate::rest::Scrape;
use media::media_readings;
use quality::quality_readings;
use salon_live::Hub;

pub use metrics::Metrics;

/// Reads all metrics, those of the media server as of now.
pub fn scrape(metrics: Arc<Metrics>, hub: Hub, sfu: Sfu) -> Scrape {
    Arc::new(move || {
        let (metrics, hub, sfu) = (metrics.clone(), hub.clone(), sfu.clone());
        Box::pin(async move {
            let (snapshot, totals) = (sfu.snapshot().await, sfu.quality_totals().await);
            hub.count();
            let quality = quality_readings(&totals);
            let mut readings = media_readings(&snapshot);
            readings.extend(quality.iter().map(|(name, help, value)| (name.as_str(), *help, *value)));
            metrics.render(&readings)
        })
    })
}

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
