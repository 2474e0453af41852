//! Which run of which node hosts a session, and when another may take it over.
//! Invariant: a session has one owner, named by run and epoch; every append names both, so a former owner's fail.
//! A node shows that it lives by renewing its row; the row of a dead node frees its sessions.
//! Whoever holds rows of both holds those of nodes first, so that two transactions never wait for each other.
//! Next: `writer/batch.rs`, where epochs are checked.

use salon_core::{MeetingId, SessionId, Timestamp};

use crate::Store;
use crate::engine::{Db, Row, args, built, transaction};
use crate::error::{Error, Result, Rule};
use crate::run_id::RunId;

/// A node that has not renewed its row for this long is dead, in milliseconds by the database's clock. Nodes renew every
/// 300 ms; raising this leaves meetings of a dead node without a host for longer, lowering it takes meetings away from
/// slow ones.
pub const NODE_DEAD_MS: i64 = 1_500;

/// How much later one is dead that becomes another program, which is there after 100 ms, but on a machine that has too much to do,
/// or with thousands of connections to take up, not within [`NODE_DEAD_MS`]. Raising this leaves meetings without a host for longer
/// whose node dies in these moments.
const HANDED_OVER_MS: i64 = 3_500;

/// For so long after a renewal the people of a node's sessions are taken to be seen, in milliseconds: up to then the node
/// tells of them, and whoever takes them over counts them. It must be more than nodes leave between two renewals.
pub const VOUCHED_MS: i64 = 1_000;

/// A live session whose owner is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoptable {
    pub session: SessionId,
    pub meeting: MeetingId,
    /// Named in [`Store::take_over`].
    pub epoch: i64,
    /// When the owner was last known to be alive, and with it the people in the session.
    pub owner_seen_at: Timestamp,
}

/// What somebody left behind: live sessions that may be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Estate {
    /// Of every other run, where nobody else reads the store.
    OfAll,
    /// Of nodes that left in good order; with `all`, of such as are not there any more and never let go of them.
    OfThoseWhoLeft { all: bool },
    /// Of a node that is dead, or of former runs of one's own.
    Of(String),
}

impl Estate {
    /// Tells it from others.
    pub fn name(&self) -> &str {
        match self {
            Self::OfAll | Self::OfThoseWhoLeft { .. } => "",
            Self::Of(node) => node,
        }
    }
}

/// The run `$1` is of a node that takes sessions over.
const TAKES: &str = "not exists (select 1 from nodes where run = $1 and draining = 1)";

/// When the people of a session that is taken over were last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastSeen {
    /// With its owner, as far as the store saw that one.
    WithOwner,
    /// At that moment, as whoever takes it over knows better.
    At(Timestamp),
    /// By whoever takes it over, to whom their media come.
    Now,
}

/// What came of taking a session over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The new one.
    pub epoch: i64,
    /// When its former owner was last known to be alive.
    pub owner_seen_at: Timestamp,
}

/// When the run that owns a session `s` was last seen, by its own clock, with `n` the row of its node if there is one. Where
/// nodes share the database a renewal vouches for a while, as far as that has gone by. A run that never registered was alive
/// when it last wrote.
pub(crate) fn owner_seen(db: &Db) -> String {
    format!("coalesce(s.owner_seen_ms, case when n.run = s.owner_run then {} end, s.updated_ms)", run_seen(db))
}

/// When the run of a node `n` was last seen, by its own clock.
fn run_seen(db: &Db) -> String {
    let own = "coalesce(n.own_ms, n.seen_ms)";
    match db {
        Db::Sqlite { .. } => own.to_owned(),
        Db::Postgres(_) => format!("{own} + least(greatest({} - n.seen_ms, 0), {VOUCHED_MS})", db.clock("")),
    }
}

impl Store {
    /// Begins `run` as the node `name`. An earlier run of that name has ended: its heartbeats fail from now on, and
    /// its sessions may be taken over.
    pub async fn register_node(&self, name: &str, run: &RunId, now: Timestamp) -> Result<()> {
        transaction!(self.db, |tx| {
            let sql =
                format!("select n.run, {} as seen_ms from nodes n where n.name = $1{}", run_seen(&self.db), self.db.for_update());
            if let Some(former) = tx.one(built(sql), args![name]).await? {
                // The node's row is about to forget when the former run was last seen; its sessions remember.
                let sql = "update sessions set owner_seen_ms = $3 \
                           where owner_node = $1 and owner_run = $2 and owner_run <> $4 \
                           and ended_ms is null and owner_seen_ms is null";
                tx.run(sql, args![name, &former.id::<RunId>("run")?, former.time("seen_ms")?, run]).await?;
            }
            let sql = format!(
                "insert into nodes (name, run, own_ms, seen_ms, since_ms) values ($1, $2, $3, {clock}, {clock}) \
                 on conflict (name) do update set run = excluded.run, own_ms = excluded.own_ms, seen_ms = excluded.seen_ms, \
                 since_ms = excluded.since_ms, draining = 0, guests = 0, records = null, address = null, takeover_ms = null, \
                 takeover = null",
                clock = self.db.clock("$3")
            );
            tx.run(built(sql), args![name, run, now]).await?;
            Ok(())
        })
    }

    /// Says that `run` is alive. `NotOwner` if another run has its name by now: it must stop hosting. Whatever others took
    /// over of what it owned is theirs when this answers, and they take nothing from then on.
    pub async fn heartbeat(&self, run: &RunId, now: Timestamp) -> Result<()> {
        let sql = match &self.db {
            Db::Sqlite { .. } => "update nodes set own_ms = $2, seen_ms = $2 where run = $1".to_owned(),
            // A renewal that was given up may still arrive, after later ones, and one of before a handover after it.
            Db::Postgres(_) => format!(
                "update nodes set own_ms = greatest(own_ms, $2), \
                 seen_ms = least(greatest(seen_ms, {clock}), {clock} + {HANDED_OVER_MS}) where run = $1",
                clock = self.db.clock("")
            ),
        };
        self.renew(sql, run, now).await
    }

    /// As [`Store::heartbeat`], of one that becomes another program now: it is given the time to.
    pub async fn hand_over_node(&self, run: &RunId, now: Timestamp) -> Result<()> {
        let sql = match &self.db {
            Db::Sqlite { .. } => return self.heartbeat(run, now).await,
            Db::Postgres(_) => format!(
                "update nodes set own_ms = greatest(own_ms, $2), seen_ms = {} + {HANDED_OVER_MS} where run = $1",
                self.db.clock("")
            ),
        };
        self.renew(sql, run, now).await
    }

    /// What time it is by the clock that nodes are judged by, if the database has one that others go by as well.
    pub async fn time(&self) -> Result<Option<Timestamp>> {
        if self.db.is_alone() {
            return Ok(None);
        }
        let row = self.db.one(built(format!("select {} as now_ms", self.db.clock(""))), args![]).await?;
        row.map(|row| row.time("now_ms")).transpose()
    }

    async fn renew(&self, sql: String, run: &RunId, now: Timestamp) -> Result<()> {
        match self.renewals.run(built(sql), args![run, now]).await? {
            0 => Err(Error::NotOwner),
            _ => Ok(()),
        }
    }

    /// Whose sessions `run` may take over: those of its node's former runs and, unless that is drained, of dead nodes and of those
    /// that left. On SQLite those of every other run.
    ///
    /// Nodes look twice a second, so this looks by owner and reads no session of a node that lives. Only with `all` it does, and
    /// finds what an owner that is not there any more never let go of.
    pub async fn estates(&self, run: &RunId, now: Timestamp, all: bool) -> Result<Vec<Estate>> {
        if self.db.is_alone() {
            return Ok(vec![Estate::OfAll]);
        }
        let dead_before = format!("{} - {NODE_DEAD_MS}", self.db.clock("$2"));
        let gone = format!("select name from nodes where run = $1 or (seen_ms < {dead_before} and {TAKES})");
        let rows = self.db.all(built(gone), args![run, now]).await?;
        let of_nodes = rows.iter().map(|row| Ok(Estate::Of(row.text("name")?)));
        std::iter::once(Ok(Estate::OfThoseWhoLeft { all })).chain(of_nodes).collect()
    }

    /// The live sessions of an estate, oldest first.
    pub async fn left_behind(&self, run: &RunId, estate: &Estate) -> Result<Vec<Adoptable>> {
        let (condition, args) = match estate {
            Estate::OfAll => ("true".to_owned(), args![run]),
            Estate::OfThoseWhoLeft { all: true } => (format!("n.name is null and {TAKES}"), args![run]),
            Estate::OfThoseWhoLeft { all: false } => {
                (format!("n.name is null and {TAKES} and s.owner_seen_ms is not null"), args![run])
            }
            Estate::Of(node) => ("s.owner_node = $2".to_owned(), args![run, node]),
        };
        let sql = format!(
            "select s.id, s.meeting_id, s.epoch, {} as seen_ms from sessions s left join nodes n on n.name = s.owner_node \
             where s.ended_ms is null and s.owner_run <> $1 and {condition} order by s.created_ms, s.id",
            owner_seen(&self.db)
        );
        let read = |row: &Row| {
            Ok(Adoptable {
                session: row.id("id")?,
                meeting: row.id("meeting_id")?,
                epoch: row.int("epoch")?,
                owner_seen_at: row.time("seen_ms")?,
            })
        };
        self.db.all(built(sql), args).await?.iter().map(read).collect()
    }

    /// All live sessions that `run` may take over.
    pub async fn live_sessions_to_adopt(&self, run: &RunId, now: Timestamp, all: bool) -> Result<Vec<Adoptable>> {
        let mut found = Vec::new();
        for estate in self.estates(run, now, all).await? {
            found.extend(self.left_behind(run, &estate).await?);
        }
        Ok(found)
    }

    /// The meetings whose live session `run` owns.
    pub async fn live_meetings_of(&self, run: &RunId) -> Result<Vec<MeetingId>> {
        let sql = "select meeting_id from sessions where ended_ms is null and owner_run = $1";
        self.db.all(sql, args![run]).await?.iter().map(|row| row.id("meeting_id")).collect()
    }

    /// The live sessions that `run` owns.
    pub async fn live_sessions_of(&self, run: &RunId) -> Result<Vec<SessionId>> {
        let sql = "select id from sessions where ended_ms is null and owner_run = $1";
        self.db.all(sql, args![run]).await?.iter().map(|row| row.id("id")).collect()
    }

    /// Ends `run` in good order: it is no node any more, and its live sessions are free. They remember when it was last seen.
    pub async fn leave_node(&self, run: &RunId, now: Timestamp) -> Result<()> {
        transaction!(self.db, |tx| {
            tx.one(tx.held("select name from nodes where run = $1"), args![run]).await?;
            let sql = "update sessions set owner_seen_ms = $2 \
                       where owner_run = $1 and ended_ms is null and owner_seen_ms is null";
            tx.run(sql, args![run, now]).await?;
            tx.run("delete from nodes where run = $1", args![run]).await?;
            Ok(())
        })
    }

    /// Makes `run` the owner of a session that was seen at `from_epoch`.
    ///
    /// One that `judges` may take others for dead; one that does not takes from those only that left in good order. When
    /// people were `seen` is remembered until `run` first appends to the session, in case it dies before or never hears of this.
    /// A run may also take over from itself, which shuts out a task of its own that it has lost sight of. `NotOwner`
    /// if somebody else was faster or `run` is not registered, `Conflict(OwnerAlive)` if the owner lives,
    /// `Conflict(SessionEnded)` if there is nothing left to own.
    pub async fn take_over(
        &self,
        session: &SessionId,
        from_epoch: i64,
        run: &RunId,
        judges: bool,
        seen: LastSeen,
    ) -> Result<Taken> {
        transaction!(self.db, |tx| {
            let Some(node) = tx.one("select name from nodes where run = $1", args![run]).await? else {
                return Err(Error::NotOwner);
            };
            let node = node.text("name")?;
            let sql = "select owner_node, epoch, ended_ms from sessions where id = $1";
            let Some(found) = tx.one(sql, args![session]).await? else { return Err(Error::NotFound) };
            if found.int("epoch")? != from_epoch {
                return Err(Error::NotOwner);
            }
            let owner = found.text("owner_node")?;
            // A former run of this node, or this very run: both are under the one name that `run` holds.
            let is_others = !self.db.is_alone() && owner != node;
            if is_others {
                // Before the session's, as everywhere. Held until this is over: an owner that renews its row waits, and finds out
                // then what it has lost.
                let sql =
                    format!("select seen_ms, {} as now_ms from nodes where name = $1{}", self.db.clock(""), self.db.for_share());
                if let Some(found) = tx.one(built(sql), args![&owner]).await?
                    && (!judges || found.time("seen_ms")?.plus_ms(NODE_DEAD_MS) >= found.time("now_ms")?)
                {
                    return Err(Error::Conflict(Rule::OwnerAlive));
                }
            }
            let Some(row) = tx.one(tx.held(sql), args![session]).await? else { return Err(Error::NotFound) };
            if row.int("epoch")? != from_epoch {
                return Err(Error::NotOwner);
            }
            if row.int_or_null("ended_ms")?.is_some() {
                return Err(Error::Conflict(Rule::SessionEnded));
            }
            // By now: it may have told of the session until this was let in.
            let sql = format!(
                "select {} as seen_ms from sessions s left join nodes n on n.name = s.owner_node where s.id = $1",
                owner_seen(&self.db)
            );
            let owner_seen_at = tx.one(built(sql), args![session]).await?.ok_or(Error::NotFound)?.time("seen_ms")?;
            let seen = match seen {
                LastSeen::WithOwner => Some(owner_seen_at),
                LastSeen::At(seen) => Some(seen),
                LastSeen::Now => None,
            };
            let sql = "update sessions set owner_node = $2, owner_run = $3, epoch = epoch + 1, owner_seen_ms = $5 \
                       where id = $1 and epoch = $4";
            match tx.run(sql, args![session, &node, run, from_epoch, seen]).await? {
                0 => Err(Error::NotOwner),
                _ => Ok(Taken { epoch: from_epoch + 1, owner_seen_at }),
            }
        })
    }
}
