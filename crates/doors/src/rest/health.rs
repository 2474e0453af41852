//! How the node is: for load balancers and for metrics.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use salon_live::Hub;
use salon_media::Owners;
use salon_sfu::Health;
use salon_store::Store;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::accept::wish;
use crate::rest::reply;

/// A store that takes longer than this to say anything is as good as gone.
const STORE_WITHIN: Duration = Duration::from_secs(2);

/// 200 while the node can do its work, 503 while its store does not answer, a media thread of it is dead, or it is being
/// stopped.
pub async fn health(
    State(store): State<Store>,
    State(hub): State<Hub>,
    State(media): State<Arc<Owners>>,
    State(stop): State<CancellationToken>,
) -> Response {
    let store = matches!(tokio::time::timeout(STORE_WITHIN, store.ping()).await, Ok(Ok(())));
    let (status, body) = diagnosis(store, hub.holds(), media.sfu.health(), stop.is_cancelled());
    reply::json(status, &body)
}

/// What there is to say of a node whose parts are like this.
fn diagnosis(store: bool, node: bool, media: Health, stopping: bool) -> (StatusCode, Value) {
    let well = store && node && media.is_good() && !stopping;
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = |good, word: &'static str| if good { "ok" } else { word };
    let body = json!({
        "status": word(well, "unavailable"),
        "store": word(store, "unavailable"),
        "node": if stopping { "stopping" } else { word(node, "not the owner of its sessions") },
        "media": match media {
            Health { ended: 1.., .. } => "a media thread has ended: restart this node",
            Health { stuck: 1.., .. } => "a media thread hangs",
            _ => "ok",
        },
        "version": env!("CARGO_PKG_VERSION"),
    });
    (status, body)
}

/// What metrics are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// The text format of Prometheus, version 0.0.4, which everybody reads.
    Text,
    OpenMetrics,
}

/// What measures everything, and writes it down.
pub type Scrape = Arc<dyn Fn(Exposition) -> BoxFuture<'static, String> + Send + Sync>;

/// Everything measured, for whoever may know, as they can read it.
pub async fn metrics(State(scrape): State<Scrape>, headers: HeaderMap) -> Response {
    let exposition = wanted(&headers);
    let content_type = match exposition {
        Exposition::Text => "text/plain; version=0.0.4; charset=utf-8",
        Exposition::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
    };
    ([(header::CONTENT_TYPE, content_type), (header::VARY, "accept")], scrape(exposition).await).into_response()
}

/// OpenMetrics for those who name it, and want nothing else more.
fn wanted(headers: &HeaderMap) -> Exposition {
    let wish = |content_type| wish(headers, content_type).unwrap_or(0.0);
    let open = wish("application/openmetrics-text");
    if open > 0.0 && open >= wish("text/plain") { Exposition::OpenMetrics } else { Exposition::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_with_a_dead_media_thread_says_so() {
        let of = |media| {
            let (status, body) = diagnosis(true, true, media, false);
            (status.as_u16(), body["media"].as_str().unwrap_or_default().to_owned())
        };
        let well = Health { threads: 2, restarts: 3, ..Health::default() };
        assert_eq!(of(well), (200, "ok".to_owned()));
        assert_eq!(of(Health { ended: 1, ..well }), (503, "a media thread has ended: restart this node".to_owned()));
        assert_eq!(of(Health { stuck: 1, ..well }), (503, "a media thread hangs".to_owned()));
    }
}
