//! How the node is: for load balancers and for metrics.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use salon_live::Hub;
use salon_store::Store;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::rest::reply;

/// A store that takes longer than this to say anything is as good as gone.
const STORE_WITHIN: Duration = Duration::from_secs(2);

/// 200 while the node can do its work, 503 while its store does not answer or it is being stopped.
pub async fn health(State(store): State<Store>, State(hub): State<Hub>, State(stop): State<CancellationToken>) -> Response {
    let store = matches!(tokio::time::timeout(STORE_WITHIN, store.ping()).await, Ok(Ok(())));
    let stopping = stop.is_cancelled();
    let node = hub.holds();
    let status = if store && !stopping && node { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = |good, word: &'static str| if good { "ok" } else { word };
    let body = json!({
        "status": word(status == StatusCode::OK, "unavailable"),
        "store": word(store, "unavailable"),
        "node": if stopping { "stopping" } else { word(node, "not the owner of its sessions") },
        "version": env!("CARGO_PKG_VERSION"),
    });
    reply::json(status, &body)
}

/// What measures everything: answers with OpenMetrics text.
pub type Scrape = Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>;

/// The content type of what a [`Scrape`] answers.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything measured, for whoever may know.
pub async fn metrics(State(scrape): State<Scrape>) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], scrape().await).into_response()
}
