//! What is remembered: one `Store` over SQLite or Postgres, an `impl Store` per table family.
//! Owns the tables, their migrations, and the stable names under which a session's events are kept.
//! Invariant: a session's row is written in the transaction of its events, by the run that owns it.
//! Never reads the clock, except the database's own where nodes share it.
//! Next: `writer.rs` and `ownership.rs`, the two that are more than tables.

pub mod acting;
mod api_keys;
mod append;
mod apps;
mod audit;
mod chain;
mod chat_files;
mod client_events;
mod connected;
mod day_sums;
mod edits;
mod end_session;
mod engine;
mod entrance;
mod erased_files;
mod erasure;
mod error;
mod list;
mod livestreams;
mod many;
mod meetings;
mod nodes;
mod notice;
mod open;
mod outbox;
mod ownership;
mod participants;
mod peer_quality;
mod peer_row;
mod presets;
mod record;
mod recordings;
mod retention;
mod run_id;
mod session_days;
mod session_peers;
mod sessions;
mod settings;
mod stream_tickets;
mod transact;
mod transcripts;
mod webhooks;
mod writer;

pub use api_keys::{ApiKey, USED_EVERY_MS};
pub use append::{Append, SessionAppend};
pub use apps::App;
pub use audit::{AuditEntry, AuditFilter, Chain};
pub use chat_files::{ChatFile, Uploaded};
pub use client_events::{ClientEvent, MAX_CLIENT_EVENTS};
pub use connected::Brought;
pub use day_sums::{DAY_MS, QUARTER_MS, day_of, quarter_of};
pub use entrance::{AtEntrance, Comer, Happening, MAX_OF_MEETING};
pub use erasure::{Erased, Receipt};
pub use error::{Corrupt, Error, Result, Rule};
pub use list::{Listing, MAX_PAGE, Page};
pub use livestreams::{Livestream, LivestreamDay, LivestreamFilter};
pub use meetings::{Meeting, MeetingFilter};
pub use nodes::{LivingNode, NodeRow, Records};
pub use open::OpenOptions;
pub use outbox::{
    Claimed, Delivery, DeliveryFilter, DeliveryState, FeedEntry, LANE_HELD_MS, Lane, Next, Replayed, Standing, Tried, Wanted,
};
pub use ownership::{Adoptable, Estate, LastSeen, NODE_DEAD_MS, Taken, VOUCHED_MS};
pub use participants::{Admission, Participant, ParticipantRow};
pub use peer_quality::QualityBlock;
pub use peer_row::PeerRow;
pub use presets::Preset;
pub use recordings::{Recording, RecordingDay, RecordingFile, RecordingFileKind, RecordingFilter};
pub use retention::OldSession;
pub use run_id::RunId;
pub use session_days::{SessionDay, SessionQuarter};
pub use session_peers::{PeerSort, Person};
pub use sessions::{LiveFilter, MAX_EVENTS, SessionFilter, SessionRow, SessionSort};
pub use stream_tickets::{Opens, StreamTicket};
pub use transcripts::{Listening, ListeningState, Summary, SummaryState, Terms, Transcript, TranscriptLine, WrittenPiece};
pub use webhooks::{Secret, Webhook};

/// The database. Clones share its connections and its one writer of sessions.
#[derive(Clone)]
pub struct Store {
    db: engine::Db,
    /// For nothing but saying that this node is alive: what others ask of the database does not make that wait.
    renewals: engine::Db,
    writer: writer::Writer,
    bell: std::sync::Arc<outbox::Bell>,
}

impl Store {
    /// Adds events to sessions, and brings their rows up to date with them.
    ///
    /// `NotOwner` if the session is another's, `Conflict(LiveSessionExists)` if one begins in a meeting that has one,
    /// `Conflict(NotContiguous)` if events are missing in between, `Conflict(SessionEnded)` if it is over. After
    /// `Unavailable` the events may be stored or not: the same append may be made again, and is `Ok` if they are.
    /// Once begun, an append happens even if the caller stops waiting.
    pub async fn append(&self, append: Append) -> Result<()> {
        self.writer.append(append).await
    }
}
