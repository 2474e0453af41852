//! What the record of a session says of one of its peers, as a row: how it is made, written and read.
//! Invariant: the row is made from the fold, and written in the transaction of the events.
//! Next: `session_peers.rs`, who reads them.

use std::collections::BTreeMap;

use salon_core::event::LeaveReason;
use salon_core::record::{Peer, Presence};
use salon_core::{AppId, EventBody, ParticipantId, PeerId, PresetId, Record, SessionId, Timestamp};

use crate::engine::{Arg, Row, Tx, args, built};
use crate::error::Result;
use crate::list::search_text;
use crate::many::{chunks, tuples};
use crate::record;

/// What a session's record says of one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRow {
    pub session: SessionId,
    pub peer: PeerId,
    pub app: AppId,
    pub participant: ParticipantId,
    /// Of somebody moved here from a connected meeting: the participant there whom this one stands for.
    pub origin: Option<ParticipantId>,
    pub custom_participant_id: String,
    pub name: String,
    pub preset: PresetId,
    pub preset_name: String,
    /// Position in the order of first joining, from 0.
    pub order: u64,
    /// A person others can see: counts as live and consumes minutes.
    pub counts: bool,
    pub first_joined_at: Timestamp,
    /// Time spent in the session before the current stay.
    pub earlier_ms: i64,
    /// Since when it is here; `None` once it has left.
    pub since: Option<Timestamp>,
    /// When it was last seen, if its connection is broken.
    pub seen: Option<Timestamp>,
    pub left_at: Option<Timestamp>,
    pub reason: Option<LeaveReason>,
    /// When where it is changed last.
    pub changed_at: Timestamp,
}

impl PeerRow {
    pub fn of(record: &Record, peer: &Peer) -> Self {
        let who = &peer.who;
        let last = peer.stays.last().map_or(peer.first_joined_at, |(joined, left)| left.unwrap_or(*joined));
        let mut row = Self {
            session: record.started.session.clone(),
            peer: who.peer.clone(),
            app: record.started.app.clone(),
            participant: who.participant.clone(),
            origin: who.origin.clone(),
            custom_participant_id: who.custom_participant_id.clone(),
            name: who.name.clone(),
            preset: who.preset.clone(),
            preset_name: who.preset_name.clone(),
            order: peer.order,
            counts: peer.counts(),
            first_joined_at: peer.first_joined_at,
            earlier_ms: peer.earlier_ms,
            since: None,
            seen: None,
            left_at: None,
            reason: None,
            changed_at: last,
        };
        match peer.presence {
            Presence::Connected { since } => row.since = Some(since),
            Presence::Disconnected { since, seen, noticed } => {
                (row.since, row.seen, row.changed_at) = (Some(since), Some(seen), noticed);
            }
            Presence::Left { at, reason } => (row.left_at, row.reason) = (Some(at), Some(reason)),
        }
        if let Some(ended) = record.ended {
            row.end(ended.at);
        }
        row
    }

    /// The session is over: who was in it left then, or when last seen.
    fn end(&mut self, at: Timestamp) {
        if let Some(since) = self.since.take() {
            let left_at = self.seen.take().unwrap_or(at);
            self.earlier_ms += left_at.since(since);
            (self.left_at, self.reason, self.changed_at) = (Some(left_at), Some(LeaveReason::Ended), left_at);
        }
    }

    /// The word for why it left.
    pub fn reason_name(&self) -> Option<&'static str> {
        self.reason.map(record::leave_reason)
    }

    /// Milliseconds it has been here up to `now`. A broken connection stands still where it was last seen.
    pub fn duration_ms(&self, now: Timestamp) -> i64 {
        self.earlier_ms + self.since.map_or(0, |since| self.seen.unwrap_or(now).since(since))
    }

    /// The rows that these events changed, as the record has them after them.
    pub fn changed<'a>(record: &Record, events: impl IntoIterator<Item = &'a EventBody>) -> Vec<Self> {
        let peers: BTreeMap<&PeerId, &Peer> =
            events.into_iter().filter_map(whom).filter_map(|peer| record.peers.get_key_value(peer)).collect();
        peers.into_values().map(|peer| Self::of(record, peer)).collect()
    }
}

/// Whose row an event changes.
fn whom(body: &EventBody) -> Option<&PeerId> {
    match body {
        EventBody::PeerJoined(who) => Some(&who.peer),
        EventBody::PeerDisconnected { peer, .. }
        | EventBody::PeerReconnected { peer }
        | EventBody::PeerLeft { peer, .. }
        | EventBody::PeerRenamed { peer, .. } => Some(peer),
        _ => None,
    }
}

/// The columns of a row, named so that they stand beside those of sessions.
pub(crate) const COLUMNS: &str = "p.session_id as p_session, p.peer_id as p_peer, p.app_id as p_app, p.participant_id as p_participant, \
     p.origin_id as p_origin, p.custom_participant_id as p_custom, p.name as p_name, p.preset_id as p_preset, \
     p.preset_name as p_preset_name, p.place as p_place, p.counts as p_counts, p.first_joined_ms as p_first_joined_ms, \
     p.earlier_ms as p_earlier_ms, p.since_ms as p_since_ms, p.seen_ms as p_seen_ms, p.left_ms as p_left_ms, \
     p.reason as p_reason, p.changed_ms as p_changed_ms";

/// How long a peer was in, up to `?`.
pub(crate) const DURATION: &str = "p.earlier_ms + coalesce(coalesce(p.seen_ms, ?) - p.since_ms, 0)";

/// Writes rows, instead of those that were there. No peer is in them twice.
pub(crate) async fn write(tx: &mut Tx, rows: &[&PeerRow]) -> Result<()> {
    for rows in chunks(rows) {
        let sql = format!(
            "insert into session_peers (session_id, peer_id, app_id, participant_id, origin_id, custom_participant_id, name, \
             preset_id, preset_name, place, counts, first_joined_ms, earlier_ms, since_ms, seen_ms, left_ms, reason, \
             changed_ms, search_text) values {} on conflict (session_id, peer_id) do update set \
             participant_id = excluded.participant_id, origin_id = excluded.origin_id, \
             custom_participant_id = excluded.custom_participant_id, name = excluded.name, preset_id = excluded.preset_id, \
             preset_name = excluded.preset_name, counts = excluded.counts, earlier_ms = excluded.earlier_ms, \
             since_ms = excluded.since_ms, seen_ms = excluded.seen_ms, left_ms = excluded.left_ms, reason = excluded.reason, \
             changed_ms = excluded.changed_ms, search_text = excluded.search_text",
            tuples(rows.len(), 19)
        );
        tx.run(built(sql), rows.iter().flat_map(|row| values(row)).collect()).await?;
    }
    Ok(())
}

fn values(row: &PeerRow) -> Vec<Arg> {
    let found_by = search_text(&[row.participant.as_str(), &row.custom_participant_id, &row.name]);
    args![
        &row.session,
        row.peer.as_str(),
        &row.app,
        &row.participant,
        &row.origin,
        &row.custom_participant_id,
        &row.name,
        &row.preset,
        &row.preset_name,
        row.order,
        row.counts,
        row.first_joined_at,
        row.earlier_ms,
        row.since,
        row.seen,
        row.left_at,
        &row.reason.map(|reason| record::leave_reason(reason).to_owned()),
        row.changed_at,
        &found_by,
    ]
}

/// A session ended without its record being read: whoever was in it left then, or when last seen.
pub(crate) async fn end(tx: &mut Tx, session: &SessionId, at: Timestamp) -> Result<()> {
    let sql = "update session_peers set earlier_ms = earlier_ms + \
               case when coalesce(seen_ms, $2) > since_ms then coalesce(seen_ms, $2) - since_ms else 0 end, \
               left_ms = coalesce(seen_ms, $2), changed_ms = coalesce(seen_ms, $2), reason = $3, since_ms = null, seen_ms = null \
               where session_id = $1 and since_ms is not null";
    tx.run(sql, args![session, at, record::leave_reason(LeaveReason::Ended)]).await.map(drop)
}

pub(crate) fn read(row: &Row) -> Result<PeerRow> {
    Ok(PeerRow {
        session: row.id("p_session")?,
        peer: row.id("p_peer")?,
        app: row.id("p_app")?,
        participant: row.id("p_participant")?,
        origin: row.id_or_null("p_origin")?,
        custom_participant_id: row.text("p_custom")?,
        name: row.text("p_name")?,
        preset: row.id("p_preset")?,
        preset_name: row.text("p_preset_name")?,
        order: row.count("p_place")?,
        counts: row.flag("p_counts")?,
        first_joined_at: row.time("p_first_joined_ms")?,
        earlier_ms: row.int("p_earlier_ms")?,
        since: row.time_or_null("p_since_ms")?,
        seen: row.time_or_null("p_seen_ms")?,
        left_at: row.time_or_null("p_left_ms")?,
        reason: row.text_or_null("p_reason")?.as_deref().and_then(record::read_leave_reason),
        changed_at: row.time("p_changed_ms")?,
    })
}
