//! The nodes that share the database, as operators and each other see them: which live, where they are reached, how many
//! sessions each has, what it took over last.
//! Decides nothing: who may take what over is `ownership.rs`.

use std::collections::HashSet;

use salon_core::{MeetingId, Timestamp};

use crate::Store;
use crate::engine::{Db, Row, args, built};
use crate::error::Result;
use crate::ownership::NODE_DEAD_MS;
use crate::record::Words;
use crate::run_id::RunId;

/// A node, at the moment of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    pub name: String,
    /// Where other nodes reach it, as HOST:PORT; none if they do not.
    pub address: Option<String>,
    /// For how long it has not renewed its row, in milliseconds.
    pub silent_ms: i64,
    pub is_alive: bool,
    /// It begins no more sessions.
    pub is_draining: bool,
    /// When its run began; none of one of an earlier release.
    pub since: Option<Timestamp>,
    /// Live sessions it owns.
    pub sessions: u64,
    /// People whose media it has and whose sessions are on other nodes.
    pub guests: u64,
    /// What it records for others, if it does nothing else.
    pub records: Option<Records>,
    /// When this run last took sessions of another node over, and why.
    pub takeover: Option<(Timestamp, String)>,
}

/// What a worker takes: a node that has no sessions, and records those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Records {
    /// The sound of each person.
    Tracks,
    /// That, composites and livestreams.
    Pictures,
}

const RECORDS: Words<Records> = Words(&[(Records::Tracks, "tracks"), (Records::Pictures, "pictures")]);

/// A node that lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivingNode {
    pub node: String,
    pub address: Option<String>,
}

impl Store {
    /// Says where other nodes reach `run`.
    pub async fn announce_node(&self, run: &RunId, address: &str) -> Result<()> {
        self.db.run("update nodes set address = $2 where run = $1", args![run, address]).await.map(drop)
    }

    /// Says that `run` is a worker, which begins no sessions and takes none over.
    pub async fn mark_worker(&self, run: &RunId, records: Records) -> Result<()> {
        let sql = "update nodes set records = $2, draining = 1 where run = $1";
        self.db.run(sql, args![run, RECORDS.name(records)]).await.map(drop)
    }

    /// Notes that `run` took sessions of another node over.
    pub async fn note_takeover(&self, run: &RunId, why: &str, now: Timestamp) -> Result<()> {
        let sql = match &self.db {
            Db::Sqlite { .. } => "update nodes set takeover = $2, takeover_ms = $3 where run = $1".to_owned(),
            Db::Postgres(_) => {
                format!("update nodes set takeover = $2, takeover_ms = {} where run = $1 and $3 = $3", self.db.clock(""))
            }
        };
        self.db.run(built(sql), args![run, why, now]).await.map(drop)
    }

    /// All nodes that have not left in good order, by name.
    pub async fn nodes(&self, now: Timestamp) -> Result<Vec<NodeRow>> {
        let sql = format!(
            "select n.name, n.address, n.draining, n.guests, n.records, n.since_ms, n.takeover_ms, n.takeover, {} - n.seen_ms as silent_ms, \
             (select count(*) from sessions s where s.ended_ms is null and s.owner_run = n.run) as sessions \
             from nodes n where $1 = $1 order by n.name",
            self.db.clock("$1")
        );
        let read = |row: &Row| {
            let silent_ms = row.int("silent_ms")?.max(0);
            Ok(NodeRow {
                name: row.text("name")?,
                address: row.text_or_null("address")?,
                silent_ms,
                is_alive: silent_ms <= NODE_DEAD_MS,
                is_draining: row.int("draining")? != 0,
                records: row.text_or_null("records")?.and_then(|word| RECORDS.value(&word)),
                since: row.time_or_null("since_ms")?,
                sessions: row.count("sessions")?,
                guests: row.count("guests")?,
                takeover: row.time_or_null("takeover_ms")?.zip(row.text_or_null("takeover")?),
            })
        };
        self.db.all(built(sql), args![now]).await?.iter().map(read).collect()
    }

    /// The names of the nodes that live.
    pub async fn living_nodes(&self, now: Timestamp) -> Result<HashSet<String>> {
        self.db.all(built(living_names(&self.db, "$1")), args![now]).await?.iter().map(|row| row.text("name")).collect()
    }

    /// The living node that has a live session of another meeting of this one's family, that of its parent before others.
    pub async fn family_owner(&self, meeting: &MeetingId) -> Result<Option<LivingNode>> {
        let sql = format!(
            "select n.name, n.address from sessions s join nodes n on n.name = s.owner_node \
             join meetings m on m.id = s.meeting_id \
             join (select coalesce(parent_id, id) as head from meetings where id = $1) f \
             on (m.id = f.head or m.parent_id = f.head) \
             where s.ended_ms is null and s.meeting_id <> $1 and n.seen_ms >= {} - {NODE_DEAD_MS} \
             order by case when m.id = f.head then 0 else 1 end, s.created_ms, s.id limit 1",
            self.db.clock("n.seen_ms")
        );
        self.db.one(built(sql), args![meeting]).await?.as_ref().map(living).transpose()
    }

    /// Says that a node is to begin no more sessions, until it is started anew, or that it may again. False if there is none of
    /// that name that has sessions: workers never do.
    pub async fn drain_node(&self, name: &str, drains: bool) -> Result<bool> {
        let sql = "update nodes set draining = $2 where name = $1 and records is null";
        Ok(self.db.run(sql, args![name, i64::from(drains)]).await? > 0)
    }

    /// Says how many people's media `run` has whose sessions are on other nodes. Answers whether it is drained, and is to have
    /// no more.
    pub async fn note_guests(&self, run: &RunId, guests: usize) -> Result<bool> {
        let sql = "update nodes set guests = $2 where run = $1 returning draining";
        let row = self.db.one(sql, args![run, guests as i64]).await?;
        row.map_or(Ok(false), |row| Ok(row.int("draining")? != 0))
    }

    /// The node at which the next session of a meeting begins, if it is another than that of `run`. The first who comes to a meeting
    /// decides that it is theirs; whoever comes later goes there as well, for as long as it lives and begins sessions, so that
    /// those who wait in front of a meeting are where it will begin.
    pub async fn begins_at(&self, meeting: &MeetingId, run: &RunId) -> Result<Option<LivingNode>> {
        // Others may decide at the same moment: then theirs is seen in the next round.
        for _ in 0..3 {
            let Some((home, known)) = self.home_of(meeting).await? else { break };
            if let Some((its_run, node)) = known {
                return Ok((its_run != run.as_str()).then_some(node));
            }
            let Some(next) = self.home_for(run).await? else { break };
            let sql = "update meetings set home_run = $2 where id = $1 and coalesce(home_run, '') = $3";
            self.db.run(sql, args![meeting, &next, home.as_deref().unwrap_or_default()]).await?;
        }
        Ok(None)
    }

    /// What a meeting has as its home, and that node if it lives and begins sessions. `None` if there is no such meeting.
    async fn home_of(&self, meeting: &MeetingId) -> Result<Option<(Option<String>, Option<(String, LivingNode)>)>> {
        let sql = format!(
            "select m.home_run, n.run, n.name, n.address from meetings m left join nodes n on n.run = m.home_run and {} \
             where m.id = $1",
            self.begins_sessions()
        );
        let Some(row) = self.db.one(built(sql), args![meeting]).await? else { return Ok(None) };
        let known = match row.text_or_null("run")? {
            Some(run) => Some((run, living(&row)?)),
            None => None,
        };
        Ok(Some((row.text_or_null("home_run")?, known)))
    }

    /// The run whose node begins what comes to that of `run`: itself, or the one with the fewest sessions if it begins none.
    async fn home_for(&self, run: &RunId) -> Result<Option<String>> {
        let sql = format!(
            "select n.run from nodes n where {} order by case when n.run = $1 then 0 else 1 end, \
             (select count(*) from sessions s where s.ended_ms is null and s.owner_run = n.run), n.name limit 1",
            self.begins_sessions()
        );
        self.db.one(built(sql), args![run]).await?.map(|row| row.text("run")).transpose()
    }

    /// Whether node `n` lives, begins sessions, and is reached by others.
    fn begins_sessions(&self) -> String {
        format!("n.draining = 0 and n.address is not null and n.seen_ms >= {} - {NODE_DEAD_MS}", self.db.clock("n.seen_ms"))
    }
}

/// What asks for the names of the nodes that live, at the moment in parameter `now` where the database has no clock.
pub(crate) fn living_names(db: &Db, now: &'static str) -> String {
    format!("select name from nodes where {now} = {now} and seen_ms >= {} - {NODE_DEAD_MS}", db.clock(now))
}

fn living(row: &Row) -> Result<LivingNode> {
    Ok(LivingNode { node: row.text("name")?, address: row.text_or_null("address")? })
}
