//! A whole Salon in this process, in a data folder of its own, and people with tokens for its meetings.
//! Next: `client.rs`, what those people do.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use salon_core::{AppId, MeetingId, ParticipantId, PeerId, PresetId, Record, SessionId, Summary};
use salon_doors::doors::Doors;
use salon_doors::tokens::Bearer;
use salon_server::Config;
use salon_server::config::{DEV_APP, Mode};
use salon_server::start::Running;
use salon_store::{Meeting, Participant, Preset};
use serde_json::Value;
use uuid::Uuid;

use crate::client::Client;

/// How long anything that should happen may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that is gone when the test is.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("signaling-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Deref for Folder {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running Salon.
pub struct House {
    pub doors: Doors,
    pub address: String,
    pub running: Running,
    pub data: Folder,
    config: Config,
}

impl House {
    pub async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// With settings changed.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let data = Folder::new();
        let mut config = Config { mode: Mode::Dev, data: data.to_path_buf(), ..Config::default() };
        config.listen = "127.0.0.1:0".parse().unwrap();
        config.media.port = 0;
        change(&mut config);
        Self::start(config, data).await
    }

    async fn start(config: Config, data: Folder) -> Self {
        let running = salon_server::start::start(config.clone()).await.unwrap();
        Self { config, doors: running.doors.clone(), address: running.addr.to_string(), running, data }
    }

    /// Stops as on SIGTERM, and starts again on the same data.
    pub async fn restart(self) -> Self {
        let Self { doors, running, data, config, .. } = self;
        drop(doors);
        running.stop().await.unwrap();
        Self::start(config, data).await
    }

    pub async fn meeting(&self) -> MeetingId {
        self.meeting_kept_alive_for(60).await
    }

    pub async fn meeting_kept_alive_for(&self, seconds: i64) -> MeetingId {
        let blank = Meeting::blank(MeetingId::parse(&fresh()).unwrap(), dev(), self.doors.clock.now());
        let meeting = Meeting { title: Some("Stand-up".to_owned()), keep_alive_secs: seconds, ..blank };
        self.doors.store.create_meeting(&meeting).await.unwrap();
        meeting.id
    }

    pub async fn set_active(&self, meeting: &MeetingId, active: bool) {
        let change = |found| Ok::<_, salon_store::Error>(Meeting { active, ..found });
        self.doors.store.edit_meeting(&dev(), meeting, change).await.unwrap();
    }

    /// Someone who may do what people in a group call usually may.
    pub async fn guest(&self, meeting: &MeetingId, name: &str) -> Person {
        self.add(meeting, name, "group_call_participant").await
    }

    /// Someone who may do everything.
    pub async fn host(&self, meeting: &MeetingId, name: &str) -> Person {
        self.add(meeting, name, "group_call_host").await
    }

    pub async fn add(&self, meeting: &MeetingId, name: &str, preset: &str) -> Person {
        let preset = self.doors.store.preset_named(&dev(), preset).await.unwrap().unwrap();
        self.add_with(meeting, name, &preset.id).await
    }

    /// Someone who may do everything that a host may, but for the changes.
    pub async fn add_changed(&self, meeting: &MeetingId, name: &str, changes: &[(&str, Value)]) -> Person {
        let mut preset = self.doors.store.preset_named(&dev(), "group_call_host").await.unwrap().unwrap();
        preset.id = PresetId::parse(&fresh()).unwrap();
        preset.name = fresh();
        for (path, value) in changes {
            let (parent, key) = path.rsplit_once('/').unwrap();
            preset.body.pointer_mut(parent).unwrap()[key] = value.clone();
        }
        self.doors.store.create_preset(&Preset { created_at: self.doors.clock.now(), ..preset.clone() }).await.unwrap();
        self.add_with(meeting, name, &preset.id).await
    }

    async fn add_with(&self, meeting: &MeetingId, name: &str, preset: &PresetId) -> Person {
        let now = self.doors.clock.now();
        let participant = Participant {
            id: ParticipantId::parse(&fresh()).unwrap(),
            meeting: meeting.clone(),
            app: dev(),
            preset: preset.clone(),
            name: Some(name.to_owned()),
            picture: None,
            custom_participant_id: format!("customer-{name}"),
            origin: None,
            created_at: now,
            updated_at: now,
        };
        self.doors.store.create_participant(&participant).await.unwrap();
        let bearer = Bearer {
            app: dev(),
            meeting: meeting.clone(),
            participant: participant.id.clone(),
            let_in_until: None,
            recording: None,
        };
        Person {
            address: self.address.clone(),
            meeting: meeting.to_string(),
            participant: participant.id.to_string(),
            name: name.to_owned(),
            token: self.doors.tokens.sign(&bearer, preset, now),
            peer: fresh(),
        }
    }

    /// The live answer.
    pub fn live(&self, meeting: &MeetingId) -> Option<Summary> {
        let live = self.doors.hub.summary(meeting.as_str(), self.doors.clock.now()).ok().flatten()?;
        let told = self.doors.alive.tell(self.doors.clock.now()).unwrap();
        Some(live.tell(&told).0.clone())
    }

    /// How many the live answer counts; none if no session is live.
    pub fn count(&self, meeting: &MeetingId) -> Option<u32> {
        self.live(meeting).map(|live| live.live)
    }

    /// Waits until the live answer counts this many.
    pub async fn counts(&self, meeting: &MeetingId, count: Option<u32>) {
        let counted = async {
            while self.count(meeting) != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let within = tokio::time::timeout(PATIENCE, counted).await;
        within.unwrap_or_else(|_| panic!("the live answer counts {:?}, not {count:?}", self.count(meeting)));
    }

    /// What is durably known of a session.
    pub async fn record(&self, session: &SessionId) -> Record {
        self.doors.store.record(session).await.unwrap().unwrap()
    }

    /// When the peer left, as the record has it.
    pub async fn left_at(&self, session: &SessionId, person: &Person) -> Option<i64> {
        let record = self.record(session).await;
        record.peers[&PeerId::parse(&person.peer).unwrap()].left_at().map(|at| at.0)
    }
}

/// A participant with a token, on one device.
#[derive(Clone)]
pub struct Person {
    pub address: String,
    pub meeting: String,
    pub participant: String,
    pub name: String,
    pub token: String,
    pub peer: String,
}

impl Person {
    /// Opens a socket, and waits until the server has bound it, or closed it.
    pub async fn connect(&self) -> Client {
        let client = Client::connect(self).await;
        let mut client = client.unwrap_or_else(|status| panic!("{} is not let in: {status}", self.name));
        client.catch_up().await;
        client
    }

    /// Opens a socket and joins.
    pub async fn join(&self) -> Client {
        let mut client = self.connect().await;
        client.join().await.unwrap();
        client
    }

    /// Opens a socket, joins, and has media.
    pub async fn join_with_media(&self) -> Client {
        let mut client = self.join().await;
        client.complete_join().await;
        client
    }

    /// The same person, calling another address.
    pub fn at(self, address: &str) -> Self {
        Self { address: address.to_owned(), ..self }
    }

    pub fn on_another_device(&self) -> Self {
        Self { peer: fresh(), ..self.clone() }
    }
}

pub fn fresh() -> String {
    Uuid::new_v4().to_string()
}

pub fn dev() -> AppId {
    AppId::parse(DEV_APP).unwrap()
}
