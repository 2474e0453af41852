//! How many sessions an app had, by day and by quarter of an hour, and how long people were in them: sums over sessions that ended.
//! Invariant: a session is added in the transaction of its end, with what its row then has; a day and a quarter are those of
//! its making, in UTC, so that they add up to what the list of sessions adds up to.
//! Next: `session_days.rs`, which reads them.

use std::collections::BTreeMap;

use salon_core::{AppId, Timestamp};

use crate::engine::{Tx, args, built};
use crate::error::Result;
use crate::many::{chunks, tuples};

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// The day of a moment.
pub fn day_of(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_MS)
}

/// Milliseconds of a quarter of an hour.
pub const QUARTER_MS: i64 = DAY_MS / 96;

/// The quarter of an hour of a moment: each time zone of our days begins its hours at one.
pub fn quarter_of(at: Timestamp) -> i64 {
    at.0.div_euclid(QUARTER_MS)
}

/// Adds sessions that have just ended: whose they are, when they were made, and their participant-milliseconds.
pub(crate) async fn add(tx: &mut Tx, ended: &[(&AppId, Timestamp, i64)]) -> Result<()> {
    // In one order everywhere, so that two transactions never wait for each other.
    let sums = |of: fn(Timestamp) -> i64| {
        let mut sums: BTreeMap<(&AppId, i64), (u64, i64)> = BTreeMap::new();
        for (app, created_at, settled_ms) in ended {
            let sum = sums.entry((app, of(*created_at))).or_default();
            sum.0 += 1;
            sum.1 += settled_ms;
        }
        sums.into_iter().collect::<Vec<_>>()
    };
    for days in chunks(&sums(day_of)) {
        let sql = format!(
            "insert into session_days (app_id, day, sessions, settled_ms, listed) values {} on conflict (app_id, day) do update set \
             sessions = session_days.sessions + excluded.sessions, settled_ms = session_days.settled_ms + excluded.settled_ms, \
             listed = session_days.listed + excluded.listed",
            tuples(days.len(), 5)
        );
        let args = days.iter().flat_map(|((app, day), (sessions, ms))| args![*app, *day, *sessions, *ms, *sessions]);
        tx.run(built(sql), args.collect()).await?;
    }
    for quarters in chunks(&sums(quarter_of)) {
        let sql = format!(
            "insert into session_quarters (app_id, quarter, sessions, settled_ms) values {} on conflict (app_id, quarter) do \
             update set sessions = session_quarters.sessions + excluded.sessions, \
             settled_ms = session_quarters.settled_ms + excluded.settled_ms",
            tuples(quarters.len(), 4)
        );
        let args = quarters.iter().flat_map(|((app, quarter), (sessions, ms))| args![*app, *quarter, *sessions, *ms]);
        tx.run(built(sql), args.collect()).await?;
    }
    Ok(())
}
