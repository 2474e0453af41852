//! The REST door: every route on one screen.
//! A request passes `rest/door.rs`, is matched here, is given its caller by `rest/auth.rs` and its ids by `rest/path.rs`,
//! and reaches a handler of three moves: from the wire, one question or command, to the wire.
//! Invariant: whatever fails on the way is an `ApiError`, and every answer of the API is JSON in an envelope.
//! Next: `rest/active_session.rs`, the hot path; `docs/api.md`, the conventions.

mod active_session;
mod apps;
mod auth;
mod body;
mod chat_files;
mod check;
mod door;
mod edits;
mod error;
mod health;
mod here;
mod internals;
mod live;
mod meetings;
mod missing;
mod openapi;
mod participants;
pub(crate) mod path;
pub mod presets;
mod quality;
mod query;
mod rate;
mod reply;
mod session_chat;
mod session_people;
mod sessions;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRef, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::page::{self, Page};

pub use check::is_web_address;
use error::ApiError;
pub use reply::json;

/// Where the resources of an app are, as the official SDKs have it and without their prefix. The older host has them
/// under `/v2`, the app being in the credential.
const KIT: &str = "/accounts/{account_id}/realtime/kit/{app_id}";

/// Where an account's apps are.
const ACCOUNT: &str = "/accounts/{account_id}/realtime/kit";

/// On the older host, clients in a livestream's view ask this after every push, and expect an answer.
const ACTIVE_LIVESTREAM: &str = "/meetings/{meeting_id}/active-livestream";

/// What the handlers share.
#[derive(Clone)]
pub struct Rest(Arc<Shared>);

/// See [`Rest`].
pub struct Shared {
    pub app: Arc<App>,
    rates: rate::Rates,
    edits: edits::Edits,
    page: Page,
    openapi: Bytes,
    /// Tells the ids of this run's requests from those of others.
    run: String,
    next_request: AtomicU64,
}

impl std::ops::Deref for Rest {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<Rest> for Arc<App> {
    fn from_ref(rest: &Rest) -> Self {
        rest.app.clone()
    }
}

/// The resources of an app.
fn kit() -> Vec<UtoipaMethodRouter<Rest>> {
    vec![
        routes!(meetings::list, meetings::create),
        routes!(meetings::show, meetings::update, meetings::replace),
        routes!(participants::list, participants::add),
        routes!(participants::show, participants::update, participants::delete),
        routes!(participants::token),
        routes!(active_session::show),
        routes!(active_session::kick),
        routes!(active_session::kick_all),
        routes!(active_session::mute),
        routes!(active_session::mute_all),
        routes!(active_session::poll),
        routes!(quality::show),
        routes!(presets::list, presets::create),
        routes!(presets::show, presets::update, presets::replace, presets::delete),
        routes!(sessions::list),
        routes!(sessions::show),
        routes!(session_people::list),
        routes!(session_people::show),
        routes!(session_people::report),
        routes!(session_chat::show),
        routes!(missing::transcript),
        routes!(missing::summary, missing::summarise),
    ]
}

/// The resources of an account.
fn account() -> Vec<UtoipaMethodRouter<Rest>> {
    vec![routes!(apps::list, apps::create)]
}

/// Resources of an app that Salon does not have yet.
fn not_yet() -> Vec<(&'static str, MethodRouter<Rest>)> {
    vec![
        ("/recordings", any(missing::recordings)),
        ("/recordings/{*rest}", any(missing::recordings)),
        ("/recordings/active-recording/{meeting_id}", get(missing::active_recording)),
        ("/livestreams", any(missing::livestreams)),
        ("/livestreams/{*rest}", any(missing::livestreams)),
        ("/meetings/{meeting_id}/livestreams", post(missing::livestreams)),
        (ACTIVE_LIVESTREAM, get(missing::livestreams)),
        ("/meetings/{meeting_id}/active-livestream/stop", post(missing::livestreams)),
        ("/meetings/{meeting_id}/active-transcript", get(missing::active_transcript)),
        ("/webhooks", any(missing::webhooks)),
        ("/webhooks/{*rest}", any(missing::webhooks)),
        ("/analytics/{*rest}", any(missing::analytics)),
    ]
}

/// What the client SDK asks with a participant token, and what it reports.
fn client() -> Router<Rest> {
    Router::new()
        .route("/v2/internals/participant-details", get(internals::participant_details))
        .route("/iceservers", get(internals::ice_servers))
        .route("/v2/meetings/chat-upload", post(chat_files::allow))
        .route("/files/chat/{file_id}/{name}", get(chat_files::download).put(chat_files::upload))
        .route("/downloads/chat/{session_id}", get(session_chat::download))
        .route("/otel/logs", post(internals::report))
        .route("/api/v1/message", post(internals::report))
        .route("/location", get(internals::location).post(internals::location))
}

/// The node itself.
fn node() -> Router<Rest> {
    Router::new()
        .route("/health", get(health::health))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(openapi_json))
        .route("/ws", get(crate::signaling::socket::upgrade))
        .route("/page/config", get(page::config))
}

/// Everything that is served, on any host name: clients put `api.`, `socket-edge.` and the like before ours.
pub fn router(app: Arc<App>) -> Router {
    let (kit, account) = (kit(), account());
    let document = openapi::document(&[(KIT, &kit), (ACCOUNT, &account)]);
    let openapi = serde_json::to_vec(&document).expect("the document is plain data").into();
    let rates = rate::Rates::new(app.config.limits.api_requests_per_5_minutes);
    let run = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
    let (edits, page) = (edits::Edits::new(), Page::default());
    let rest = Rest(Arc::new(Shared { app, rates, edits, page, openapi, run, next_request: AtomicU64::new(1) }));

    let mut router = client().merge(node());
    for prefix in ["/client/v4", ""] {
        router = serve(router, &format!("{prefix}{KIT}"), &kit);
        router = serve(router, &format!("{prefix}{ACCOUNT}"), &account);
    }
    router = serve(router, "/v2", &kit);
    for prefix in [&format!("/client/v4{KIT}"), KIT, "/v2"] {
        for (path, route) in not_yet() {
            let route = if prefix == "/v2" && path == ACTIVE_LIVESTREAM { get(missing::active_livestream) } else { route };
            router = router.route(&format!("{prefix}{path}"), route);
        }
    }
    router
        .fallback(elsewhere)
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .layer(axum::middleware::from_fn_with_state(rest.clone(), door::pass))
        .with_state(rest)
}

/// Adds routes under a prefix. Plain routes instead of nested routers: nesting rewrites the address of every request.
fn serve(router: Router<Rest>, prefix: &str, routes: &[UtoipaMethodRouter<Rest>]) -> Router<Rest> {
    let routes = routes.iter().flat_map(|(_, documented, route)| documented.paths.keys().map(move |path| (path, route)));
    routes.fold(router, |router, (path, route)| router.route(&format!("{prefix}{path}"), route.clone()))
}

async fn openapi_json(State(rest): State<Rest>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], rest.openapi.clone()).into_response()
}

/// What no route takes: the client's question where it is, the page, or nothing.
async fn elsewhere(State(rest): State<Rest>, request: Request) -> Response {
    if request.uri().path() == "/" && door::is_location_host(&request) {
        return internals::location().await;
    }
    let (request, _) = request.into_parts();
    match page::serve(&rest.page, &rest.app.config, &request).await {
        Some(page) => page,
        None => ApiError::no_route().into_response(),
    }
}
