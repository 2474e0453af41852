//! Sessions by the people in them.
//! Invariant: a session whose rows an earlier version did not write is known by `peers_seq`, and is put right by
//! [`Store::index_next`].
//! Next: `peer_row.rs`, one row.

use salon_core::{AppId, ParticipantId, PeerId, Record, SessionId, Timestamp};

use crate::Store;
use crate::engine::{Arg, Row, Tx, args, built, transaction};
use crate::error::{Error, Result};
use crate::list::{Filter, Listing, Page};
use crate::peer_row::{self, COLUMNS, DURATION, PeerRow, read};
use crate::sessions::{self, MAX_EVENTS, SessionRow};

/// What the peers of a session are listed by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PeerSort {
    #[default]
    JoinedAt,
    Duration,
}

/// Whose sessions are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Person {
    Participant(ParticipantId),
    /// By the caller's own id.
    Custom(String),
}

const PEERS_AND_SESSIONS: &str =
    "session_peers p join sessions s on s.id = p.session_id left join nodes n on n.name = s.owner_node";

impl Store {
    /// The peers of a session that count, searched by their participant's id, own id and name. `None` if this version has not
    /// indexed the session yet.
    pub async fn session_peers(
        &self,
        session: &SessionId,
        page: &Page,
        sort: PeerSort,
        now: Timestamp,
    ) -> Result<Option<Listing<PeerRow>>> {
        if !self.is_indexed(session).await? {
            return Ok(None);
        }
        let mut peers = Filter::new("p.session_id = ?", session);
        peers.and("p.counts = ?", true);
        peers.and_search("p.search_text", page.search.as_deref());
        let direction = if page.newest_first { " desc" } else { "" };
        let (order, value) = match sort {
            PeerSort::JoinedAt => (format!("p.place{direction}"), None),
            PeerSort::Duration => (format!("{DURATION}{direction}, p.place{direction}"), Some(Arg::from(now))),
        };
        peers.list(&self.db, (COLUMNS, "session_peers p"), (&order, value), page, read).await.map(Some)
    }

    /// When each peer of a session came first, and left last if it did.
    pub async fn stays_in(&self, session: &SessionId) -> Result<Vec<(PeerId, Timestamp, Option<Timestamp>)>> {
        let sql = "select peer_id, first_joined_ms, left_ms from session_peers where session_id = $1";
        let rows = self.db.all(sql, args![session]).await?;
        let read = |row: &Row| Ok((row.id("peer_id")?, row.time("first_joined_ms")?, row.time_or_null("left_ms")?));
        rows.iter().map(read).collect()
    }

    /// A peer of a session, by its own id or its participant's; of several peers of a participant the last come. `None` also
    /// if this version has not indexed the session yet.
    pub async fn session_peer(&self, session: &SessionId, id: &str) -> Result<Option<PeerRow>> {
        let sql = format!(
            "select {COLUMNS} from session_peers p where p.session_id = $1 and (p.peer_id = $2 or p.participant_id = $2) \
             order by case when p.peer_id = $2 then 0 else 1 end, p.place desc limit 1"
        );
        self.db.one(built(sql), args![session, id]).await?.as_ref().map(read).transpose()
    }

    /// The last stay of a peer in any session of an app, and the session.
    pub async fn peer_anywhere(&self, app: &AppId, peer: &PeerId) -> Result<Option<(SessionRow, PeerRow)>> {
        let sql = format!(
            "select {COLUMNS}, {} from {PEERS_AND_SESSIONS} \
             where p.app_id = $1 and p.peer_id = $2 order by p.first_joined_ms desc limit 1",
            sessions::columns(&self.db),
        );
        self.db.one(built(sql), args![app, peer.as_str()]).await?.as_ref().map(read_both).transpose()
    }

    /// All that a person has been in, with the session of each, by when they first joined it.
    pub async fn peers_of(&self, app: &AppId, person: &Person, page: &Page) -> Result<Listing<(SessionRow, PeerRow)>> {
        let mut peers = Filter::new("p.app_id = ?", app);
        match person {
            Person::Participant(id) => peers.and("p.participant_id = ?", id),
            Person::Custom(id) => peers.and("p.custom_participant_id = ?", id),
        }
        let direction = if page.newest_first { " desc" } else { "" };
        let order = format!("p.first_joined_ms{direction}, p.session_id{direction}, p.peer_id{direction}");
        let columns = format!("{COLUMNS}, {}", sessions::columns(&self.db));
        peers.list(&self.db, (&columns, PEERS_AND_SESSIONS), (&order, None), page, read_both).await
    }

    async fn is_indexed(&self, session: &SessionId) -> Result<bool> {
        let sql = "select 1 as one from sessions where id = $1 and peers_seq = last_seq";
        Ok(self.db.one(sql, args![session]).await?.is_some())
    }

    /// Indexes the newest session that an earlier version has written to; false if there is none. One whose record cannot be
    /// read is passed over for good.
    ///
    /// The record is read before the transaction, which adds only what came meanwhile: nobody waits while a long one is read.
    pub async fn index_next(&self) -> Result<bool> {
        let sql = "select id from sessions where peers_seq < last_seq order by created_ms desc limit 1";
        let Some(row) = self.db.one(sql, args![]).await? else { return Ok(false) };
        let session: SessionId = row.id("id")?;
        let record = match self.record(&session).await {
            Ok(record) => record,
            Err(Error::Corrupt(corrupt)) => {
                tracing::error!(session.id = %session, error = %corrupt, "the people of a session cannot be read");
                let sql = "update sessions set peers_seq = last_seq where id = $1";
                return self.db.run(sql, args![&session]).await.map(|_| true);
            }
            Err(error) => return Err(error),
        };
        // Gone meanwhile.
        let Some(record) = record else { return Ok(true) };
        transaction!(self.db, |tx| {
            let sql = format!("select last_seq from sessions where id = $1{}", self.db.for_update());
            let row = tx.one(built(sql), args![&session]).await?;
            let Some(row) = row else { return Ok(true) };
            let mut record = record.clone();
            follow(tx, &mut record).await?;
            let rows: Vec<PeerRow> = record.peers.values().map(|peer| PeerRow::of(&record, peer)).collect();
            peer_row::write(tx, &rows.iter().collect::<Vec<_>>()).await?;
            let last_seq: u64 = row.count("last_seq")?;
            tx.run("update sessions set peers_seq = $2 where id = $1", args![&session, last_seq]).await?;
            Ok(true)
        })
    }
}

/// Folds in what came since.
async fn follow(tx: &mut Tx, record: &mut Record) -> Result<()> {
    loop {
        let sql = "select seq, at_ms, kind, body from session_events where session_id = $1 and seq > $2 order by seq limit $3";
        let session = record.started.session.clone();
        let rows = tx.all(sql, args![&session, record.seq, MAX_EVENTS]).await?;
        for row in &rows {
            record.apply(&sessions::read_event(&session, record.seq + 1, row)?);
        }
        if rows.len() < MAX_EVENTS as usize {
            return Ok(());
        }
    }
}

fn read_both(row: &Row) -> Result<(SessionRow, PeerRow)> {
    Ok((sessions::read_session(row)?, read(row)?))
}
