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
mod host_names;
mod internals;
mod live;
mod meetings;
mod missing;
mod openapi;
mod participants;
mod path;
mod peer_report;
mod presets;
mod quality;
mod query;
mod rate;
mod reply;
mod session_chat;
mod session_people;
mod sessions;
mod settings;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRef, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use salon_media::Owners;
use salon_store::Store;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::doors::Doors;
use crate::page::{self, Page};
use crate::rest::auth::Gate;
use crate::rest::chat_files::FileDesk;
use crate::rest::door::Porter;
use crate::rest::edits::Edits;
use crate::rest::error::ApiError;
use crate::rest::host_names::HostNames;
use crate::rest::live::Teller;
use crate::rest::rate::Rates;
use crate::rest::settings::{BodyBytes, PerPage, PublicUrl};
use crate::tokens::Tokens;
use salon_live::Clock;
use salon_live::Hub;
use salon_quality::Quality;

pub use crate::rest::health::Scrape;
pub use crate::rest::settings::{FileRules, Ice, KeepAlive, Settings};

/// Where the resources of an app are, as the official SDKs have it and without their prefix. The older host has them
/// under `/v2`, the app being in the credential.
const KIT: &str = "/accounts/{account_id}/realtime/kit/{app_id}";

/// Where an account's apps are.
const ACCOUNT: &str = "/accounts/{account_id}/realtime/kit";

/// On the older host, clients in a livestream's view ask this after every push, and expect an answer.
const ACTIVE_LIVESTREAM: &str = "/meetings/{meeting_id}/active-livestream";

/// Where handlers get what they take. No handler sees it: each names the handles it uses.
#[derive(Clone)]
pub struct Rest(Arc<Parts>);

struct Parts {
    doors: Doors,
    gate: Gate,
    teller: Teller,
    edits: Edits,
    page: Page,
    keep_alive: KeepAlive,
    per_page: PerPage,
    body_bytes: BodyBytes,
    public_url: PublicUrl,
    files: Arc<FileDesk>,
    ice: Arc<Ice>,
    openapi: Document,
}

/// The OpenAPI document, as JSON.
#[derive(Clone)]
struct Document(Bytes);

macro_rules! hands_out {
    ($($type:ty: $($part:ident).+;)*) => {$(
        impl FromRef<Rest> for $type {
            fn from_ref(Rest(parts): &Rest) -> Self {
                parts.$($part).+.clone()
            }
        }
    )*};
}

hands_out! {
    Store: doors.store;
    Hub: doors.hub;
    Clock: doors.clock;
    Arc<Owners>: doors.media;
    Teller: teller;
    Tokens: doors.tokens;
    Quality: doors.quality;
    Scrape: doors.scrape;
    CancellationToken: doors.stop;
    Gate: gate;
    Edits: edits;
    Page: page;
    KeepAlive: keep_alive;
    PerPage: per_page;
    BodyBytes: body_bytes;
    PublicUrl: public_url;
    Arc<FileDesk>: files;
    Arc<Ice>: ice;
    Document: openapi;
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
        .route("/page/config", get(page::config))
}

/// Everything that is served, on any host name: clients put `api.`, `socket-edge.` and the like before ours. `beside` is
/// what others serve at addresses of their own.
pub fn router(doors: Doors, settings: Settings, page: page::Settings, beside: &[(&str, MethodRouter)]) -> Router {
    let (kit, account) = (kit(), account());
    let document = openapi::document(&[(KIT, &kit), (ACCOUNT, &account)]);
    let openapi = Document(serde_json::to_vec(&document).expect("the document is plain data").into());
    let porter = Porter::new(HostNames(settings.hosts), doors.metrics.clone());
    let rest = Rest(Arc::new(Parts {
        gate: Gate::new(doors.keys.clone(), Rates::new(settings.requests_per_5_minutes)),
        teller: Teller { hub: doors.hub.clone(), clock: doors.clock.clone(), alive: doors.alive.clone() },
        edits: Edits::new(),
        page: Page::new(page),
        keep_alive: settings.keep_alive,
        per_page: PerPage(settings.per_page_max),
        body_bytes: BodyBytes(settings.body_bytes),
        public_url: PublicUrl(settings.public_url.into()),
        files: Arc::new(FileDesk {
            files: doors.files.clone(),
            store: doors.store.clone(),
            clock: doors.clock.clone(),
            tokens: doors.tokens.clone(),
            rules: settings.files,
            tasks: doors.tasks.clone(),
        }),
        ice: Arc::new(settings.ice),
        openapi,
        doors,
    }));

    let mut router = client().merge(node());
    for (path, route) in beside {
        router = router.route_service(path, route.clone());
    }
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
        .layer(axum::middleware::from_fn_with_state(porter, door::pass))
        .with_state(rest)
}

/// Adds routes under a prefix. Plain routes instead of nested routers: nesting rewrites the address of every request.
fn serve(router: Router<Rest>, prefix: &str, routes: &[UtoipaMethodRouter<Rest>]) -> Router<Rest> {
    let routes = routes.iter().flat_map(|(_, documented, route)| documented.paths.keys().map(move |path| (path, route)));
    routes.fold(router, |router, (path, route)| router.route(&format!("{prefix}{path}"), route.clone()))
}

async fn openapi_json(State(Document(json)): State<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}

/// What no route takes: the client's question where it is, the page, or nothing.
async fn elsewhere(State(page): State<Page>, request: Request) -> Response {
    if request.uri().path() == "/" && door::is_location_host(&request) {
        return internals::location().await;
    }
    let (request, _) = request.into_parts();
    match page::serve(&page, &request).await {
        Some(page) => page,
        None => ApiError::no_route().into_response(),
    }
}
