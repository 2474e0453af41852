//! Logs and metrics: how this node tells what it is doing.
//! What may be said in a log line, and how its fields are named, is in `docs/logging.md`.
//! Next: `telemetry/exposition.rs`; each crate's own `metrics.rs`, `figures.rs` or `readings.rs`.

mod exposition;
mod logs;

use std::sync::Arc;

use prometheus_client::registry::Registry;
use salon_doors::rest::Scrape;
use salon_live::Hub;
use salon_sfu::Sfu;

pub use exposition::registry;
pub use logs::init_logs;

/// Reads all metrics, those of the media server as of now.
pub fn scrape(registry: Registry, hub: Hub, sfu: Sfu) -> Scrape {
    let registry = Arc::new(registry);
    Arc::new(move |exposition| {
        let (registry, hub, sfu) = (registry.clone(), hub.clone(), sfu.clone());
        Box::pin(async move {
            let readings = salon_media::readings(&sfu).await;
            hub.count();
            exposition::render(&registry, &readings, exposition)
        })
    })
}
