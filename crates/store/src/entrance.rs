//! Who came to the entrance of a meeting and was not let straight in, for whoever asks why.
//! Invariant: of one meeting there are so many rows at most, and of one participant so many in ten minutes; it explains, and
//! nothing is decided by it. Ids only: a name goes with its participant.

use std::collections::BTreeMap;

use salon_core::{AppId, MeetingId, ParticipantId, PeerId, Timestamp};

use crate::Store;
use crate::engine::{Row, args, built, transaction as quiet};
use crate::error::{Error, Result};
use crate::many::{chunks, tuples};

/// Rows kept of one meeting; the oldest go first.
pub const MAX_OF_MEETING: u32 = 500;

/// What is counted together: more in a row says nothing new.
const SLOT_MS: i64 = 600_000;

/// Rows that one step of the sweep deletes.
const SWEPT: u32 = 1_000;

macro_rules! happenings {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What happened at the entrance.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Happening {
            $($(#[$doc])* $name,)*
        }

        impl Happening {
            /// As it is kept.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            fn named(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

happenings! {
    /// Has to wait.
    Waits = "waits",
    /// Came in after having waited.
    LetIn = "let_in",
    /// A host said no.
    Denied = "denied",
    /// Went away while waiting, or lost the connection.
    WentAway = "went_away",
    TokenExpired = "token_expired",
    /// The participant was deleted, or is of another meeting.
    NoParticipant = "no_participant",
    /// The meeting accepts no joins.
    Inactive = "inactive",
    /// There are as many people as may be.
    Full = "full",
    /// Was put out by a host, and came back as if that had not been.
    PutOut = "put_out",
    /// Opens sockets, or joins, too often.
    TooOften = "too_often",
    /// Anything else.
    Refused = "refused",
}

/// Something that happened at the entrance of a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtEntrance {
    pub app: AppId,
    pub meeting: MeetingId,
    pub participant: ParticipantId,
    /// The connection of the last time.
    pub peer: PeerId,
    pub what: Happening,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub times: u64,
}

/// The same, with who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comer {
    pub happened: AtEntrance,
    /// Name and the caller's own id; none of a participant who was deleted.
    pub who: Option<(Option<String>, String)>,
}

impl Store {
    /// Keeps what happened, together with what is alike.
    pub async fn keep_entrance(&self, happened: &[AtEntrance]) -> Result<()> {
        // In one order everywhere, so that two transactions never wait for each other, and each row once.
        let mut rows: BTreeMap<_, AtEntrance> = BTreeMap::new();
        for one in happened {
            let key = (&one.meeting, &one.participant, one.what, one.first_at.0.div_euclid(SLOT_MS));
            let row = rows.entry(key).or_insert_with(|| AtEntrance { times: 0, ..one.clone() });
            row.times += one.times;
            row.first_at = row.first_at.min(one.first_at);
            if one.last_at >= row.last_at {
                (row.last_at, row.peer) = (one.last_at, one.peer.clone());
            }
        }
        let rows: Vec<_> = rows.into_iter().collect();
        let mut meetings: Vec<&MeetingId> = rows.iter().map(|((meeting, ..), _)| *meeting).collect();
        meetings.dedup();
        quiet!(self.db, |tx| {
            for rows in chunks(&rows) {
                let sql = format!(
                    "insert into entrance (meeting_id, participant_id, what, slot, app_id, peer_id, first_ms, last_ms, times) \
                     values {} on conflict (meeting_id, participant_id, what, slot) do update set \
                     peer_id = excluded.peer_id, last_ms = excluded.last_ms, times = entrance.times + excluded.times",
                    tuples(rows.len(), 9)
                );
                let args = rows.iter().flat_map(|((meeting, participant, what, slot), row)| {
                    args![*meeting, *participant, what.name(), *slot, &row.app, &row.peer, row.first_at, row.last_at, row.times]
                });
                tx.run(built(sql), args.collect()).await?;
            }
            for meeting in &meetings {
                let sql = "delete from entrance where meeting_id = $1 and last_ms < (select last_ms from entrance \
                           where meeting_id = $1 order by last_ms desc limit 1 offset $2)";
                tx.run(sql, args![*meeting, MAX_OF_MEETING - 1]).await?;
            }
            Ok(())
        })
    }

    /// What happened at the entrance of a meeting, the latest first.
    pub async fn entrance(&self, meeting: &MeetingId, limit: u32) -> Result<Vec<Comer>> {
        let sql = "select e.participant_id, e.what, e.app_id, e.peer_id, e.first_ms, e.last_ms, e.times, p.id, p.name, \
                   p.custom_participant_id from entrance e left join participants p on p.id = e.participant_id \
                   and p.app_id = e.app_id where e.meeting_id = $1 order by e.last_ms desc, e.participant_id, e.what limit $2";
        let read = |row: &Row| {
            let happened = AtEntrance {
                app: row.id("app_id")?,
                meeting: meeting.clone(),
                participant: row.id("participant_id")?,
                peer: row.id("peer_id")?,
                what: Happening::named(&row.text("what")?).ok_or(Error::column("what"))?,
                first_at: row.time("first_ms")?,
                last_at: row.time("last_ms")?,
                times: row.count("times")?,
            };
            let who = match row.text_or_null("id")? {
                Some(_) => Some((row.text_or_null("name")?, row.text("custom_participant_id")?)),
                None => None,
            };
            Ok(Comer { happened, who })
        };
        self.db.all(sql, args![meeting, limit]).await?.iter().map(read).collect()
    }

    /// Forgets what is older, a part at a time; true when nothing is left of it.
    pub async fn clear_entrance(&self, before: Timestamp) -> Result<bool> {
        let sql = "delete from entrance where (meeting_id, participant_id, what, slot) in (select meeting_id, participant_id, what, \
                   slot from entrance where last_ms < $1 limit $2)";
        let gone = self.db.run(sql, args![before, SWEPT]).await?;
        Ok(gone < u64::from(SWEPT))
    }
}
