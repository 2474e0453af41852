//! What an app had on which day, and in which quarter of an hour, of sessions that are over, without counting them.
//! Next: `day_sums.rs`, what a day is and how it is added to.

use salon_core::AppId;

use crate::Store;
use crate::engine::{Row, args};
use crate::error::Result;

/// The ended sessions of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionDay {
    /// Days since the epoch, UTC.
    pub day: i64,
    pub sessions: u64,
    /// Participant-milliseconds.
    pub settled_ms: i64,
    /// How many of the sessions are on lists still: they may be too old.
    pub listed: u64,
}

/// The ended sessions of one quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionQuarter {
    /// Quarters of an hour since the epoch.
    pub quarter: i64,
    pub sessions: u64,
    /// Participant-milliseconds.
    pub settled_ms: i64,
}

impl Store {
    /// The days from one to another on which sessions of this app were made that are over.
    pub async fn session_days(&self, app: &AppId, from: i64, to: i64) -> Result<Vec<SessionDay>> {
        let sql =
            "select day, sessions, settled_ms, listed from session_days where app_id = $1 and day between $2 and $3 order by day";
        let rows = self.db.all(sql, args![app, from, to]).await?;
        let read = |row: &Row| {
            Ok(SessionDay {
                day: row.int("day")?,
                sessions: row.count("sessions")?,
                settled_ms: row.int("settled_ms")?,
                listed: row.count("listed")?,
            })
        };
        rows.iter().map(read).collect()
    }
    /// The quarters of an hour from one on and before another in which sessions of this app were made that are over.
    pub async fn session_quarters(&self, app: &AppId, from: i64, before: i64) -> Result<Vec<SessionQuarter>> {
        let sql = "select quarter, sessions, settled_ms from session_quarters where app_id = $1 and quarter >= $2 and quarter < $3 \
                   order by quarter";
        let rows = self.db.all(sql, args![app, from, before]).await?;
        let read = |row: &Row| {
            let (sessions, settled_ms) = (row.count("sessions")?, row.int("settled_ms")?);
            Ok(SessionQuarter { quarter: row.int("quarter")?, sessions, settled_ms })
        };
        rows.iter().map(read).collect()
    }
}
