//! How the node is: for load balancers and for metrics.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::rest::reply;
use crate::telemetry::{CONTENT_TYPE, media_readings, quality_readings};

/// A store that takes longer than this to say anything is as good as gone.
const STORE_WITHIN: Duration = Duration::from_secs(2);

/// 200 while the node can do its work, 503 while its store does not answer or it is being stopped.
pub async fn health(State(app): State<Arc<App>>) -> Response {
    let store = matches!(tokio::time::timeout(STORE_WITHIN, app.store.ping()).await, Ok(Ok(())));
    let stopping = app.stop.is_cancelled();
    let node = app.hub.holds();
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

/// Everything measured, as OpenMetrics text.
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    let sfu = &app.media.sfu;
    let (snapshot, totals) = (sfu.snapshot().await, sfu.quality_totals().await);
    app.hub.count();
    let quality = quality_readings(&totals);
    let mut readings = media_readings(&snapshot);
    readings.extend(quality.iter().map(|(name, help, value)| (name.as_str(), *help, *value)));
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], app.metrics.render(&readings)).into_response()
}
