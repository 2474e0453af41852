//! A fresh database for each test, and the macro that runs a test on both engines.

use std::sync::atomic::{AtomicU32, Ordering};

use salon_core::{AccountId, AppId, MeetingId, ParticipantId, PresetId, Timestamp};
use salon_store::{App, Meeting, OpenOptions, Participant, Preset, RunId, Store};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::postgres::{self, Server};

/// Defines tests that take a [`Bed`], each run on SQLite and on Postgres.
macro_rules! on_both_engines {
    ($($(#[$attribute:meta])* async fn $name:ident($bed:ident: Bed) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $(#[$attribute])*
            async fn run($bed: $crate::bed::Bed) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                run($crate::bed::Bed::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                if let Some(bed) = $crate::bed::Bed::postgres().await {
                    run(bed).await;
                }
            }
        }
    )*};
}
pub(crate) use on_both_engines;

/// A database of a test's own, migrated, with one store open on it.
pub struct Bed {
    pub store: Store,
    pub url: String,
    _files: Option<TempDir>,
    _database: Option<Database>,
}

/// A moment to count from.
pub const NOON: Timestamp = Timestamp(1_750_000_000_000);

impl Bed {
    pub async fn sqlite() -> Bed {
        let files = tempfile::tempdir().expect("a temporary folder can be made");
        let url = format!("sqlite:{}", files.path().join("salon.db").display());
        let store = open(&url).await;
        store.migrate().await.expect("an empty database migrates");
        Bed { store, url, _files: Some(files), _database: None }
    }

    pub async fn postgres() -> Option<Bed> {
        let database = Database::make().await?;
        let url = database.url.clone();
        let store = open(&url).await;
        store.migrate().await.expect("an empty database migrates");
        Some(Bed { store, url, _files: None, _database: Some(database) })
    }

    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    /// Another store on the same database, as another node has it; on SQLite, where there is no other, the same.
    pub async fn other(&self) -> Store {
        if self.is_sqlite() { self.store.clone() } else { open(&self.url).await }
    }

    /// Runs a statement behind the store's back.
    pub async fn raw(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_sqlite() {
            let mut connection = SqliteConnection::connect(&self.url).await.expect("the file opens");
            connection.execute(sql).await.expect("the statement is good");
            connection.close().await.expect("it closes");
        } else {
            let mut connection = PgConnection::connect(&self.url).await.expect("the server answers");
            connection.execute(sql).await.expect("the statement is good");
            connection.close().await.expect("it closes");
        }
    }

    /// Makes a node look as if it had not renewed its row for a long time, by whichever clock counts.
    pub async fn let_die(&self, node: &str) {
        self.raw(&format!("update nodes set seen_ms = 1000 where name = '{node}'")).await;
    }

    /// Makes a node live whatever the time is.
    pub async fn let_live(&self, node: &str) {
        self.raw(&format!("update nodes set seen_ms = 9000000000000 where name = '{node}'")).await;
    }

    /// Registers a run and returns its id.
    pub async fn run(&self, node: &str, run: &str) -> RunId {
        let run = RunId::new(run);
        self.store.register_node(node, &run, NOON).await.expect("a node registers");
        run
    }

    /// Stores the app `a` with the preset `host`.
    pub async fn app(&self) -> AppId {
        self.store.create_app(&app("a", "First"), &[preset("host", "a", "host")]).await.expect("an app is made");
        id("a")
    }
}

pub async fn open(url: &str) -> Store {
    let options = OpenOptions { url: url.to_owned(), durable: false, max_connections: 8 };
    Store::open(&options).await.expect("the database opens")
}

/// A Postgres database that is dropped at the end.
pub struct Database {
    pub url: String,
    name: String,
    server: &'static Server,
}

impl Database {
    pub async fn make() -> Option<Database> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = postgres::server().await?;
        let name = format!("salon_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut admin = server.admin().await.expect("the server answers");
        admin.execute(AssertSqlSafe(format!("create database {name}"))).await.expect("a database can be made");
        admin.close().await.expect("it closes");
        Some(Database { url: server.url(&name), name, server })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (name, server) = (self.name.clone(), self.server);
        // A thread, because the test's runtime is busy ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                if let Ok(mut admin) = server.admin().await {
                    let _ = admin.execute(AssertSqlSafe(format!("drop database {name} with (force)"))).await;
                }
            });
            std::io::Result::Ok(())
        });
        let _ = dropping.join();
    }
}

/// Any id from plain text.
pub fn id<T: Id>(text: &str) -> T {
    T::of(text)
}

pub trait Id {
    fn of(text: &str) -> Self;
}

macro_rules! ids {
    ($($id:ty),*) => {$(
        impl Id for $id {
            fn of(text: &str) -> Self {
                Self::parse(text).expect("tests use proper ids")
            }
        }
    )*};
}
ids!(
    AccountId,
    salon_core::ApiKeyId,
    AppId,
    salon_core::FileId,
    MeetingId,
    ParticipantId,
    PresetId,
    salon_core::SessionId,
    salon_core::PeerId,
    salon_core::TrackId,
    salon_core::RecordingId,
    salon_core::WebhookId
);

pub fn app(app: &str, name: &str) -> App {
    App { id: id(app), account: id("account"), name: name.into(), created_at: NOON }
}

pub fn preset(preset: &str, app: &str, name: &str) -> Preset {
    Preset {
        id: id(preset),
        app: id(app),
        name: name.into(),
        body: json!({ "config": { "view_type": "GROUP_CALL" }, "odd": "a\u{0}b 'quoted' \"twice\"" }),
        created_at: NOON,
        updated_at: NOON,
    }
}

pub fn meeting(meeting: &str, app: &str, title: Option<&str>) -> Meeting {
    Meeting {
        id: id(meeting),
        app: id(app),
        parent: None,
        title: title.map(str::to_owned),
        active: true,
        record_on_start: false,
        live_stream_on_start: true,
        persist_chat: false,
        transcribe_on_end: true,
        summarize_on_end: false,
        keep_alive_secs: 60,
        recording_config: Some(json!({ "max_seconds": 60 })),
        ai_config: None,
        created_at: NOON,
        updated_at: NOON,
        deleted_at: None,
    }
}

pub fn participant(participant: &str, meeting: &str, app: &str, preset: &str) -> Participant {
    Participant {
        id: id(participant),
        meeting: id(meeting),
        app: id(app),
        preset: id(preset),
        name: Some("Ann O'Neil".into()),
        picture: None,
        custom_participant_id: format!("custom-{participant}"),
        origin: None,
        created_at: NOON,
        updated_at: NOON,
    }
}
