//! A whole node in process with a store of its own, and a caller that speaks plain HTTP to it.
//! Live sessions are driven through the hub, as the signaling door does it.
//! Next: `contract.rs`, what answers must look like.
#![allow(dead_code)]

pub mod contract;
pub mod http;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use salon_core::session::{Entered, Join, MeetingFacts};
use salon_core::{AccountId, AppId, MeetingId, ParticipantId, PeerId, SessionId};
use salon_live::Place;
use salon_server::config::{Config, Mode};
use salon_server::start::{Running, start};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub use http::{Call, Said};

/// Where the resources of the dev app are.
pub const KIT: &str = "/client/v4/accounts/dev/realtime/kit/dev";

/// A node that runs, gone with its data when dropped.
pub struct TestApp {
    pub running: Running,
    pub data: PathBuf,
    /// Goes last, when the node has stopped.
    pub _gone: Gone,
}

/// What is left of a node.
pub struct Gone {
    stop: CancellationToken,
    data: PathBuf,
}

impl TestApp {
    /// `salon dev`, on any port.
    pub async fn dev() -> Self {
        Self::with(|_| {}).await
    }

    /// `salon dev` with some settings changed.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("salon-rest-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let data = std::env::temp_dir().join(name);
        let mut config = Config { mode: Mode::Dev, data: data.clone(), ..Config::default() };
        config.listen = "127.0.0.1:0".parse().expect("an address");
        config.media.port = 0;
        config.media.ip = "127.0.0.1".parse().expect("an address");
        config.limits.api_requests_per_5_minutes = 0;
        change(&mut config);
        let running = start(config).await.expect("a node starts");
        let stop = running.doors.stop.clone();
        Self { running, data: data.clone(), _gone: Gone { stop, data } }
    }

    /// Stops as on SIGTERM.
    pub async fn stop(self) {
        self.running.stop().await.expect("it stops");
    }

    /// A request to the dev app with the dev token; `path` comes after [`KIT`].
    pub fn call(&self, method: &str, path: &str) -> Call {
        self.bare(method, &format!("{KIT}{path}")).header("authorization", "Bearer dev-token")
    }

    /// A request with nothing added.
    pub fn bare(&self, method: &str, path: &str) -> Call {
        Call::new(self.running.addr, method, path)
    }

    pub async fn get(&self, path: &str) -> Said {
        self.call("GET", path).send().await
    }

    pub async fn post(&self, path: &str, body: Value) -> Said {
        self.call("POST", path).json(&body).send().await
    }

    /// Makes a meeting and answers with its id.
    pub async fn meeting(&self, title: &str) -> String {
        self.post("/meetings", json!({ "title": title })).await.expect(201)["data"]["id"].text()
    }

    /// Adds a participant and answers with everything told about them, the token included.
    pub async fn participant(&self, meeting: &str, preset: &str, custom_id: &str) -> Value {
        let body = json!({ "name": custom_id, "preset_name": preset, "custom_participant_id": custom_id });
        self.post(&format!("/meetings/{meeting}/participants"), body).await.expect(201)["data"].clone()
    }

    /// Lets a participant in, as a new peer.
    pub async fn join(&self, participant: &str) -> PeerId {
        let app = &self.running.doors;
        let id = ParticipantId::parse(participant).expect("an id");
        let admission = app.store.admission(&id).await.expect("a store").expect("a participant");
        let peer = PeerId::parse(&uuid::Uuid::new_v4().to_string()).expect("an id");
        let join = Join {
            peer: peer.clone(),
            participant: id,
            custom_participant_id: admission.participant.custom_participant_id,
            name: admission.participant.name.unwrap_or_default(),
            wanted_name: None,
            picture: None,
            preset: salon_doors::flows::presets::permissions(&admission.preset).expect("a preset"),
            meeting_active: admission.meeting.active,
            origin: admission.participant.origin,
            let_in: None,
            flowing: Vec::new(),
            fresh_session: SessionId::parse(&uuid::Uuid::new_v4().to_string()).expect("an id"),
        };
        let facts = MeetingFacts {
            meeting: admission.meeting.id,
            app: admission.meeting.app,
            title: admission.meeting.title.unwrap_or_default(),
            keep_alive_ms: admission.meeting.keep_alive_secs * 1_000,
            persist_chat: false,
            parent: admission.meeting.parent.map(|meeting| {
                let session = app.hub.session_of(meeting.as_str());
                salon_core::event::Parent { meeting, session }
            }),
        };
        let handle = app.hub.open(&facts).await.and_then(Place::here).expect("a session's task");
        let entered = handle.call(move |session, now| session.join(now, join)).await.expect("a live task");
        assert!(matches!(entered, Ok(Entered::Joined(_) | Entered::Waiting(_))), "{entered:?}");
        peer
    }

    /// Adds a participant and lets them in; answers with their id and peer.
    pub async fn enter(&self, meeting: &str, custom_id: &str) -> (String, PeerId) {
        let participant = self.participant(meeting, "group_call_participant", custom_id).await["id"].text();
        let peer = self.join(&participant).await;
        (participant, peer)
    }

    pub async fn leave(&self, meeting: &str, peer: &PeerId) {
        let handle = self.running.doors.hub.find(meeting).expect("a live session");
        let peer = peer.clone();
        handle.call(move |session, now| session.leave(now, &peer)).await.expect("a live task");
    }

    /// Another account with an app and an API key.
    pub async fn other_account(&self, name: &str, secret: &str, email: Option<&str>) -> String {
        let store = &self.running.doors.store;
        let now = self.running.doors.clock.now();
        let account = AccountId::parse(name).expect("an id");
        let id = AppId::parse(&uuid::Uuid::now_v7().to_string()).expect("an id");
        let app = salon_store::App { id: id.clone(), account: account.clone(), name: "theirs".to_owned(), created_at: now };
        store.create_app(&app, &salon_doors::flows::presets::defaults(&id, now)).await.expect("an app");
        let key = salon_store::ApiKey {
            id: salon_doors::ids::fresh_id(),
            hash: salon_doors::keys::digest(secret),
            account,
            email: email.map(str::to_owned),
            label: "test".to_owned(),
            reach: salon_core::Reach::FULL,
            created_at: now,
            used_at: None,
            former: None,
        };
        store.insert_api_key(&key).await.expect("a key");
        id.to_string()
    }

    pub fn meeting_id(text: &str) -> MeetingId {
        MeetingId::parse(text).expect("an id")
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.stop.cancel();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// The text of a JSON string, for values that tests go on with.
pub trait Text {
    fn text(&self) -> String;
}

impl Text for Value {
    fn text(&self) -> String {
        self.as_str().unwrap_or_else(|| panic!("not a text: {self}")).to_owned()
    }
}

/// A whole, valid preset body.
pub fn preset_body(name: &str) -> Value {
    let [preset, ..] = salon_wire::rest::default_presets::default_presets();
    let mut body = serde_json::to_value(preset).expect("plain data");
    body["name"] = name.into();
    body
}
