//! Changes that depend on what is stored: load, decide, write, and again if the row was changed in between.
//! Invariant: of two changes of one row at once both are in the result, whichever nodes they come from, because each
//! write names the version that it was decided on.
//! Next: `meetings.rs`, `presets.rs` and `participants.rs`, which have a write for it each.

use std::future::Future;

use crate::engine::pause;
use crate::error::{Error, Rule};

/// How often a change is decided anew. Each time somebody else's was made, so as many at once all succeed.
const MAX_TRIES: u32 = 24;

/// A row as it was loaded.
pub(crate) struct Loaded<T> {
    pub row: T,
    pub version: i64,
}

/// Changes what `load` finds as `change` says; `write` answers whether the row still had the version it is given.
pub(crate) async fn edit<T, E, L, W>(
    load: impl Fn() -> L,
    mut change: impl FnMut(T) -> Result<T, E>,
    write: impl Fn(T, i64) -> W,
) -> Result<T, E>
where
    E: From<Error>,
    L: Future<Output = Result<Option<Loaded<T>>, Error>>,
    W: Future<Output = Result<Option<T>, Error>>,
{
    for tries in 0..MAX_TRIES {
        let Loaded { row, version } = load().await?.ok_or(Error::NotFound)?;
        if let Some(written) = write(change(row)?, version).await? {
            return Ok(written);
        }
        pause(tries.min(4)).await;
    }
    Err(Error::Conflict(Rule::ChangedMeanwhile).into())
}
