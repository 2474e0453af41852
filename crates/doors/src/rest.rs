//! The REST door: every route on one screen.
//! A request is matched here, passes `rest/door.rs`, which lets it in by the rule of its route, is given its ids by
//! `rest/path.rs`, and reaches a handler of three moves: from the wire, one question or command, to the wire.
//! Invariant: whatever fails on the way is an `ApiError`, and every answer of the API is JSON in an envelope.
//! Next: `rest/active_session.rs`, the hot path; `docs/api.md`, the conventions.

mod active_session;
mod analytics;
mod api_keys;
mod apps;
mod audit_log;
mod audited;
mod auth;
mod beside;
mod between;
mod body;
pub mod brought;
mod chat_files;
mod check;
mod client_reports;
mod documents;
mod door;
mod edits;
mod entrances;
mod erasures;
mod error;
mod handing_out;
mod health;
mod here;
mod hours;
mod ice;
mod internals;
mod live;
mod live_sessions;
mod livestreams;
mod meetings;
pub mod nodes;
mod openapi;
mod participants;
mod path;
mod peer_quality;
mod peer_report;
mod peers;
mod people;
mod playlists;
mod presets;
mod quality;
mod query;
mod recording_files;
mod recordings;
mod reply;
mod rules;
mod session_chat;
mod session_people;
mod sessions;
mod settings;
mod stream_tickets;
mod tag;
mod timeline;
mod transcripts;
mod watching;
mod webhook_past;
mod webhooks;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRef, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use salon_files::Files;
use salon_media::Owners;
use salon_store::Store;
use salon_transcripts::Transcripts;
use salon_webhooks::Webhooks;
use tokio_util::sync::CancellationToken;
use utoipa_axum::routes;

use crate::doors::Doors;
use crate::keys::{Keys, digest};
use crate::page::{self, Page};
use crate::rates::{LateRates, Rates};
use crate::rest::auth::Gate;
use crate::rest::chat_files::FileDesk;
use crate::rest::client_reports::Reports;
use crate::rest::door::Porter;
use crate::rest::edits::Edits;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::livestreams::LivestreamDesk;
use crate::rest::recordings::RecordingDesk;
use crate::rest::rules::Table;
use crate::rest::settings::{BodyBytes, FixedKey, PerPage, PublicUrl};
use crate::rest::watching::Watching;
use crate::tokens::Tokens;
use salon_cluster::Nodes;
use salon_live::Clock;
use salon_live::Hub;
use salon_quality::Quality;

pub use crate::rest::auth::Who;
pub use crate::rest::health::{Exposition, Scrape};
pub use crate::rest::rules::Rule;
pub use crate::rest::settings::{FileRules, Ice, IceLogin, KeepAlive, Scraping, Settings, Watchers};

/// Where the resources of an app are, as the official SDKs have it and without their prefix. The older host has them
/// under `/v2`, the app being in the credential.
const KIT: &str = "/accounts/{account_id}/realtime/kit/{app_id}";

/// Where an account's apps are.
const ACCOUNT: &str = "/accounts/{account_id}/realtime/kit";

/// What an account has beside its apps.
const HOLDER: &str = "/accounts/{account_id}";

/// What the addresses of the API begin with.
const PREFIXES: [&str; 3] = ["/client/", "/accounts/", "/v2/"];

/// What was said so far, for clients that come later.
const ACTIVE_TRANSCRIPT: &str = "/meetings/{meeting_id}/active-transcript";

/// What the client SDK asks for as well, on the older host and with a participant token.
const ALSO_FOR_CLIENTS: [&str; 3] = [
    "/recordings",
    "/meetings/{meeting_id}/livestreams",
    // In a livestream's view after every push.
    "/meetings/{meeting_id}/active-livestream",
];

/// Where handlers get what they take. No handler sees it: each names the handles it uses.
#[derive(Clone)]
pub struct Rest(Arc<Parts>);

struct Parts {
    doors: Doors,
    teller: Teller,
    edits: Edits,
    watching: Watching,
    page: Page,
    reports: Reports,
    keep_alive: KeepAlive,
    per_page: PerPage,
    body_bytes: BodyBytes,
    public_url: PublicUrl,
    files: Arc<FileDesk>,
    recordings: RecordingDesk,
    livestreams: LivestreamDesk,
    ice: Arc<Ice>,
    fixed_key: FixedKey,
}

/// The OpenAPI document, as JSON; made when somebody first asks, because few do and it is large while it is made.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let document = openapi::document(&[(KIT, KIT_ROUTES), (ACCOUNT, ACCOUNT_ROUTES), (HOLDER, HOLDER_ROUTES), ("", ROOT_ROUTES)]);
    serde_json::to_vec(&document).expect("the document is plain data").into()
});

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
    Keys: doors.keys;
    FixedKey: fixed_key;
    Quality: doors.quality;
    Webhooks: doors.webhooks;
    Scrape: doors.scrape;
    Reports: reports;
    CancellationToken: doors.stop;
    Option<Nodes>: doors.nodes;
    Edits: edits;
    Watching: watching;
    Page: page;
    KeepAlive: keep_alive;
    PerPage: per_page;
    BodyBytes: body_bytes;
    PublicUrl: public_url;
    Arc<FileDesk>: files;
    Files: doors.files;
    RecordingDesk: recordings;
    Transcripts: doors.transcripts;
    LivestreamDesk: livestreams;
    Arc<Ice>: ice;
}

type Described = openapi::Described<Rest>;

/// The resources of an app.
const KIT_ROUTES: &[Described] = &[
    || routes!(meetings::list, meetings::create),
    || routes!(meetings::show, meetings::update, meetings::replace),
    || routes!(participants::list, participants::add),
    || routes!(participants::show, participants::update, participants::delete),
    || routes!(participants::token),
    || routes!(active_session::show),
    || routes!(active_session::kick),
    || routes!(active_session::kick_all),
    || routes!(active_session::mute),
    || routes!(active_session::mute_all),
    || routes!(active_session::poll),
    || routes!(quality::show),
    || routes!(entrances::show),
    || routes!(people::list),
    || routes!(people::watch),
    || routes!(live_sessions::list),
    || routes!(live_sessions::watch),
    || routes!(stream_tickets::create),
    || routes!(presets::list, presets::create),
    || routes!(presets::show, presets::update, presets::replace, presets::delete),
    || routes!(sessions::list),
    || routes!(sessions::show),
    || routes!(session_people::list),
    || routes!(session_people::show),
    || routes!(session_people::report),
    || routes!(peer_quality::show),
    || routes!(timeline::show),
    || routes!(between::show),
    || routes!(between::live),
    || routes!(peers::list),
    || routes!(analytics::daywise),
    || routes!(hours::show),
    || routes!(recordings::list, recordings::start),
    || routes!(recordings::start_tracks),
    || routes!(recordings::active),
    || routes!(recordings::show, recordings::act),
    || routes!(livestreams::list, livestreams::create),
    || routes!(livestreams::show),
    || routes!(livestreams::enable),
    || routes!(livestreams::disable),
    || routes!(livestreams::reset_stream_key),
    || routes!(livestreams::active_session),
    || routes!(livestreams::show_session),
    || routes!(livestreams::start),
    || routes!(livestreams::active),
    || routes!(livestreams::stop),
    || routes!(livestreams::of_meeting),
    || routes!(livestreams::of_session),
    || routes!(livestreams::overall),
    || routes!(livestreams::daywise),
    || routes!(session_chat::show),
    || routes!(erasures::create),
    || routes!(transcripts::show),
    || routes!(transcripts::summary, transcripts::sum_up),
    || routes!(webhooks::list, webhooks::create),
    || routes!(webhooks::show, webhooks::update, webhooks::replace, webhooks::delete),
    || routes!(webhooks::events),
    || routes!(webhook_past::list),
    || routes!(webhook_past::show),
    || routes!(webhook_past::redeliver),
    || routes!(webhook_past::test),
    || routes!(webhook_past::replay),
    || routes!(webhook_past::new_secret, webhook_past::no_secret),
    || routes!(webhook_past::feed),
];

/// What the whole service has at its root, for anybody.
const ROOT_ROUTES: &[Described] = &[|| routes!(webhooks::public_key)];

/// The resources of an account.
const ACCOUNT_ROUTES: &[Described] = &[|| routes!(apps::list, apps::create)];

/// What an account has beside its apps: Salon's own.
const HOLDER_ROUTES: &[Described] = &[
    || routes!(api_keys::list, api_keys::create),
    || routes!(api_keys::show, api_keys::update, api_keys::delete),
    || routes!(api_keys::rotate),
    || routes!(audit_log::list),
];

/// What only the client SDK asks, and what it reports.
fn client() -> Vec<(&'static str, Who, MethodRouter<Rest>)> {
    vec![
        ("/v2/internals/participant-details", Who::Guest, get(internals::participant_details)),
        ("/iceservers", Who::Guest, get(ice::servers)),
        ("/v2/meetings/chat-upload", Who::Guest, post(chat_files::allow)),
        ("/v1/meetings/genPreSignedUploadUrl", Who::Guest, post(chat_files::allow_older)),
        ("/v2/internals/rooms", Who::Guest, post(internals::room)),
        ("/v2/plugins/user", Who::Guest, get(internals::plugins)),
        ("/api/v1/identities/", Who::Anyone, post(internals::flags)),
        ("/streams/{ticket}", Who::Anyone, get(stream_tickets::open)),
        ("/live/{secret}/{name}", Who::Anyone, get(playlists::serve)),
        ("/files/recordings/{recording_id}/{name}", Who::Anyone, get(recording_files::download)),
        ("/files/transcripts/{name}", Who::Anyone, get(transcripts::download)),
        ("/files/chat/{file_id}/{name}", Who::Anyone, get(chat_files::download).put(chat_files::upload)),
        ("/otel/logs", Who::Anyone, post(internals::report)),
        ("/api/v1/message", Who::Anyone, post(client_reports::take)),
        ("/location", Who::Anyone, get(internals::location).post(internals::location)),
    ]
}

/// The node itself, and links that are their own credential.
fn node() -> Vec<(&'static str, MethodRouter<Rest>)> {
    vec![
        ("/health", get(health::health)),
        ("/openapi.json", get(openapi_json)),
        ("/page/config", get(page::config)),
        ("/downloads/chat/{session_id}", get(session_chat::download)),
    ]
}

/// Every route with its rule.
fn table() -> Table<Rest> {
    let (kit, mut table) = (plain(KIT_ROUTES), Table::new());
    for prefix in ["/client/v4", ""] {
        let (app, owner) = (Rule::of(Who::App), Rule::of(Who::Account));
        for (path, route) in &kit {
            table.add(&format!("{prefix}{KIT}{path}"), Rule { reads: only_reads(path), ..app }, route.clone());
        }
        table.add(&format!("{prefix}{KIT}{ACTIVE_TRANSCRIPT}"), app, get(transcripts::active));
        for (path, route) in plain(ACCOUNT_ROUTES) {
            table.add(&format!("{prefix}{ACCOUNT}{path}"), owner, route);
        }
        for (path, route) in plain(HOLDER_ROUTES) {
            table.add(&format!("{prefix}{HOLDER}{path}"), owner, route);
        }
        table.close(&format!("{prefix}{KIT}"), app);
        table.close(&format!("{prefix}{HOLDER}"), owner);
    }
    for (path, route) in kit {
        let rule = match ALSO_FOR_CLIENTS.iter().any(|also| path.starts_with(also)) {
            true => Rule::also_for_pages(Who::OldAppOrGuest),
            false => Rule { reads: only_reads(&path), ..Rule::of(Who::OldApp) },
        };
        table.add(&format!("/v2{path}"), rule, route);
    }
    table.add(&format!("/v2{ACTIVE_TRANSCRIPT}"), Rule::also_for_pages(Who::OldAppOrGuest), get(transcripts::active));
    table.close("/v2", Rule::of(Who::OldApp));
    for (path, who, route) in client() {
        table.add(path, Rule::also_for_pages(who), route);
    }
    for (path, route) in node() {
        table.add(path, Rule::of(Who::Anyone), route);
    }
    for (path, route) in plain(ROOT_ROUTES) {
        table.add(&path, Rule::of(Who::Anyone), route);
    }
    table.add("/metrics", Rule::of(Who::Scraper), get(health::metrics));
    table
}

/// Whether a call changes nothing for anybody, whatever its method.
fn only_reads(path: &str) -> bool {
    path == "/stream-tickets"
}

/// Routes without their description.
fn plain(routes: &[Described]) -> Vec<(String, MethodRouter<Rest>)> {
    let mut plain = Vec::new();
    for described in routes {
        let (_, documented, route) = described();
        plain.extend(documented.paths.into_keys().map(|path| (path, route.clone())));
    }
    plain
}

/// Every route of this door, for tests that walk them all.
pub fn routes() -> Vec<(String, Rule)> {
    table().done().1.all()
}

/// The span for which the rate of an account is given.
const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// Requests one participant may make at once, and in each such span from then on. A client makes some six to join, and a few
/// for each file or page of the chat.
const GUEST_REQUESTS: u64 = 300;
const GUEST_SPAN: Duration = Duration::from_secs(150);

/// Times one file may be sent at once, and in each such span from then on. A client tries three times.
const SENDINGS: u64 = 12;
const SENDINGS_SPAN: Duration = Duration::from_secs(60);

/// Everything that is served, on any host name: clients put `api.`, `socket-edge.` and the like before ours. `beside` is
/// what others serve at addresses of their own, and let callers into themselves.
pub fn router(doors: Doors, settings: Settings, page: page::Settings, beside: &[(&str, MethodRouter)]) -> Router {
    let mut table = table();
    for (path, route) in beside {
        table.add(path, Rule::of(Who::Anyone), route.clone().with_state(()));
    }
    let (router, rules) = table.done();
    let gate = Gate {
        keys: doors.keys.clone(),
        rates: Rates::new(settings.requests_per_5_minutes, FIVE_MINUTES),
        guest_rates: LateRates::new(GUEST_REQUESTS, GUEST_SPAN),
        tokens: doors.tokens.clone(),
        store: doors.store.clone(),
        clock: doors.clock.clone(),
        dev_token: settings.dev_token,
        scraping: settings.scraping,
    };
    let porter = Porter::new(
        settings.hosts,
        rules,
        gate,
        (doors.nodes.clone(), doors.stop.clone()),
        settings.body_bytes,
        doors.metrics.clone(),
    );
    let teller = teller(&doors);
    let watched = (doors.store.clone(), teller.clone(), doors.quality.clone(), doors.keys.clone());
    let rest = Rest(Arc::new(Parts {
        watching: Watching::new(watched, (settings.watchers, doors.metrics.clone()), (doors.tasks.clone(), doors.stop.clone())),
        teller,
        edits: Edits::new(),
        page: Page::new(page),
        reports: Reports::new(settings.client_reports),
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
            sendings: LateRates::new(SENDINGS, SENDINGS_SPAN),
            tasks: doors.tasks.clone(),
        }),
        recordings: RecordingDesk {
            store: doors.store.clone(),
            hub: doors.hub.clone(),
            clock: doors.clock.clone(),
            tokens: doors.tokens.clone(),
            recordings: doors.recordings.clone(),
        },
        livestreams: LivestreamDesk {
            store: doors.store.clone(),
            hub: doors.hub.clone(),
            clock: doors.clock.clone(),
            livestreams: doors.livestreams.clone(),
        },
        ice: Arc::new(settings.ice),
        fixed_key: FixedKey(settings.dev_token.map(digest)),
        doors,
    }));
    router
        .fallback(elsewhere)
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(axum::middleware::from_fn_with_state(porter, door::through))
        .with_state(rest)
}

fn teller(doors: &Doors) -> Teller {
    let Doors { hub, clock, alive, nodes, .. } = doors.clone();
    Teller { hub, clock, alive, nodes }
}

/// What other nodes are answered on a port of their own: everything, and what nodes alone ask.
pub fn router_for_nodes(doors: &Doors, everything: Router) -> Router {
    nodes::router(nodes::Desk { teller: teller(doors), quality: doors.quality.clone() }, everything)
}

/// The metrics alone, for a port of their own.
pub fn metrics_router(doors: &Doors, scraping: Scraping) -> Router {
    let answer = async |State((scrape, scraping)): State<(Scrape, Scraping)>, headers: HeaderMap| match scraping.admit(&headers) {
        Ok(()) => health::metrics(State(scrape), headers).await,
        Err(refused) => refused.into_response(),
    };
    Router::new()
        .route("/metrics", get(answer))
        .fallback(async || ApiError::no_route())
        .with_state((doors.scrape.clone(), scraping))
}

async fn openapi_json() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.clone()).into_response()
}

/// What no route takes: the client's question where it is, the page, or nothing.
async fn elsewhere(State(page): State<Page>, request: Request) -> Response {
    if request.uri().path() == "/" && door::is_location_host(&request) {
        return internals::location().await;
    }
    let (request, _) = request.into_parts();
    if let Some(file) = page::serve(&page, &request).await {
        return file;
    }
    let of_the_api = PREFIXES.iter().any(|prefix| request.uri.path().starts_with(prefix));
    let told = if of_the_api { None } else { page::nothing_here(&page, &request) };
    told.unwrap_or_else(|| ApiError::no_route().into_response())
}
