//! How many sessions an app had, by day, and how long people were in them: sums over sessions that ended.
//! Invariant: a session is added in the transaction of its end, with what its row then has; a day is that of its making,
//! in UTC, so that days add up to what the list of sessions adds up to.
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

/// Adds sessions that have just ended: whose they are, when they were made, and their participant-milliseconds.
pub(crate) async fn add(tx: &mut Tx, ended: &[(&AppId, Timestamp, i64)]) -> Result<()> {
    // In one order everywhere, so that two transactions never wait for each other.
    let mut days: BTreeMap<(&AppId, i64), (u64, i64)> = BTreeMap::new();
    for (app, created_at, settled_ms) in ended {
        let day = days.entry((app, day_of(*created_at))).or_default();
        day.0 += 1;
        day.1 += settled_ms;
    }
    let days: Vec<_> = days.into_iter().collect();
    for days in chunks(&days) {
        let sql = format!(
            "insert into session_days (app_id, day, sessions, settled_ms, listed) values {} on conflict (app_id, day) do update set \
             sessions = session_days.sessions + excluded.sessions, settled_ms = session_days.settled_ms + excluded.settled_ms, \
             listed = session_days.listed + excluded.listed",
            tuples(days.len(), 5)
        );
        let args = days.iter().flat_map(|((app, day), (sessions, ms))| args![*app, *day, *sessions, *ms, *sessions]);
        tx.run(built(sql), args.collect()).await?;
    }
    Ok(())
}
