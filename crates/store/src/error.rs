//! What the store answers instead of a result.
//! Invariant: `Unavailable` says nothing about whether a write happened; every other error says it did not.
//! Next: `engine.rs` turns the drivers' errors into these.

use std::sync::Arc;

use salon_core::SessionId;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The row that was to be changed, or one it must refer to, does not exist.
    #[error("not found")]
    NotFound,
    /// A rule between rows stands in the way.
    #[error("conflict: {0}")]
    Conflict(Rule),
    /// This run does not own the session, or no longer: another took it over, or its node's name was taken.
    #[error("not the owner of this session")]
    NotOwner,
    /// The database is busy, unreachable, or failed. A write may or may not have been made.
    #[error("the database is unavailable: {0}")]
    Unavailable(Arc<sqlx::Error>),
    /// Something stored cannot be read back.
    #[error("corrupt: {0}")]
    Corrupt(Corrupt),
    /// Another process has this SQLite file open.
    #[error("the database {0} is in use by another process: stop that one first, or use Postgres, which many may open")]
    DatabaseInUse(String),
    #[error("not a usable database url: {0}")]
    BadUrl(String),
}

/// The rules a write can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// A row with this id exists already.
    #[error("the id is taken")]
    IdTaken,
    /// The id was that of a participant who was deleted: it comes back for nobody.
    #[error("a participant of this id was deleted")]
    ParticipantDeleted,
    #[error("the account has an app of this name")]
    AppName,
    #[error("the app has a preset of this name")]
    PresetName,
    #[error("participants use the preset")]
    PresetInUse,
    #[error("the meeting has a live session")]
    LiveSessionExists,
    /// A row was changed by others each time it was about to be.
    #[error("too many change this at once")]
    ChangedMeanwhile,
    /// The first event of an append does not follow the last one stored.
    #[error("the events do not follow the stored ones")]
    NotContiguous,
    #[error("the session has ended")]
    SessionEnded,
    /// A takeover came too early: the owner's node is alive.
    #[error("the owner is alive")]
    OwnerAlive,
}

/// What could not be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// An event of an unknown kind, with a garbled body, or missing from the sequence.
    #[error("event {seq} of session {session}")]
    Event { session: SessionId, seq: u64 },
    #[error("a value in column {column}")]
    Column { column: &'static str },
}

impl Error {
    /// A pause and another try may help.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Error::Unavailable(_))
    }

    pub(crate) fn column(column: &'static str) -> Self {
        Error::Corrupt(Corrupt::Column { column })
    }

    /// The database gave up a transaction in favour of another and undid it: the same transaction may be tried again.
    pub(crate) fn is_retryable(&self) -> bool {
        // 40001 serialization_failure, 40P01 deadlock_detected, 25P03 idle_in_transaction_session_timeout.
        matches!(self.code().as_deref(), Some("40001" | "40P01" | "25P03"))
    }

    /// A statement was refused because a row it refers to is missing, or one refers to it.
    pub(crate) fn is_foreign_key(&self) -> bool {
        self.database().is_some_and(|err| err.is_foreign_key_violation())
    }

    /// The database is there and refused a statement, so that another try would meet the same refusal.
    pub(crate) fn is_refusal(&self) -> bool {
        self.database().is_some_and(|err| {
            use sqlx::error::ErrorKind::{CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation};
            let data = err.code().is_some_and(|code| code.starts_with("22"));
            data || matches!(err.kind(), UniqueViolation | ForeignKeyViolation | NotNullViolation | CheckViolation)
        })
    }

    fn database(&self) -> Option<&dyn sqlx::error::DatabaseError> {
        match self {
            Error::Unavailable(source) => source.as_database_error(),
            _ => None,
        }
    }

    fn code(&self) -> Option<String> {
        self.database().and_then(|err| err.code()).map(|code| code.into_owned())
    }
}

impl From<sqlx::Error> for Error {
    fn from(err: sqlx::Error) -> Self {
        Error::Unavailable(Arc::new(err))
    }
}

impl From<sqlx::migrate::MigrateError> for Error {
    fn from(err: sqlx::migrate::MigrateError) -> Self {
        sqlx::Error::from(err).into()
    }
}
