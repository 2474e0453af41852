//! What was said: who listens where, the lines that were written down, the transcript of a session and its summary.
//! Invariant: nobody who was erased is written down afterwards; webhooks are told of a transcript in the transaction in which
//! it may be had, and never of an empty one. The sound itself is in no table.
//! Next: `erasure.rs` and `retention.rs`, how it goes.

use salon_core::erasure::ERASED;
use salon_core::notice::{News, Notice, Written};
use salon_core::{AppId, MeetingId, ParticipantId, PeerId, RecordingId, SessionId, Timestamp, WebhookId};
use serde_json::Value;

use crate::Store;
use crate::engine::{Db, Row, Tx, args, built, transaction as quiet};
use crate::error::{Error, Result};
use crate::outbox::entries::announce;
use crate::record::Words;

/// Lines of one transcript that are read at most: a day of ten people who talk.
const MAX_LINES: u32 = 200_000;

/// The places of what webhooks are told of a session after its end, behind its last event: chat, transcript, summary.
const TRANSCRIPT_PLACE: u64 = 2;
const SUMMARY_PLACE: u64 = 3;

/// A node that listens to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// As which its robot comes in.
    pub id: RecordingId,
    pub app: AppId,
    pub meeting: MeetingId,
    pub session: SessionId,
    pub node: String,
    pub state: ListeningState,
    pub began_at: Timestamp,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListeningState {
    /// It hears, and writes down what it has heard.
    Listening,
    /// It hears no more; something may be left to be written down.
    Writing,
    Done,
}

/// Some sound, written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPiece {
    pub session: SessionId,
    pub peer: PeerId,
    /// When it began.
    pub at: Timestamp,
    /// From when to when what was said.
    pub lines: Vec<(Timestamp, Timestamp, String)>,
    /// The speaker's preset has it written down at once.
    pub is_enabled: bool,
    /// Everybody in the session is told at once.
    pub is_told: bool,
}

/// Something that somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscriptLine {
    pub peer: PeerId,
    pub participant: ParticipantId,
    pub custom_participant_id: String,
    /// What they were called.
    pub name: String,
    pub start_at: Timestamp,
    pub end_at: Timestamp,
    pub text: String,
}

/// The transcript of a session that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    pub session: SessionId,
    pub app: AppId,
    pub meeting: MeetingId,
    pub expires_at: Timestamp,
    pub summary: Option<Summary>,
}

/// What it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub state: SummaryState,
    /// How often it was asked for.
    pub version: u64,
    /// How it is to be.
    pub config: Value,
    /// Empty until it is done.
    pub text: String,
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SummaryState {
    /// It is being made.
    Asked,
    Done,
    Failed,
}

const LISTENING_STATES: Words<ListeningState> =
    Words(&[(ListeningState::Listening, "listening"), (ListeningState::Writing, "writing"), (ListeningState::Done, "done")]);
const SUMMARY_STATES: Words<SummaryState> =
    Words(&[(SummaryState::Asked, "asked"), (SummaryState::Done, "done"), (SummaryState::Failed, "failed")]);

const LISTENING: &str = "id, app_id, meeting_id, session_id, node, state, began_ms";
const TRANSCRIPT: &str = "session_id, app_id, meeting_id, expires_ms, summary_state, summary_version, summary_config, \
     coalesce(summary, '') as summary, summary_error";

impl Store {
    /// Notes that a node listens to a session; false if it does, or did.
    pub async fn begin_listening(&self, new: &Listening) -> Result<bool> {
        let sql = format!("insert into listenings ({LISTENING}) values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing");
        let row = args![
            &new.id,
            &new.app,
            &new.meeting,
            &new.session,
            new.node.as_str(),
            LISTENING_STATES.name(new.state),
            new.began_at
        ];
        Ok(self.db.run(built(sql), row).await? == 1)
    }

    pub async fn listening(&self, id: &RecordingId) -> Result<Option<Listening>> {
        let sql = format!("select {LISTENING} from listenings where id = $1");
        self.db.one(built(sql), args![id]).await?.as_ref().map(read_listening).transpose()
    }

    /// What a node has not finished, oldest first.
    pub async fn unfinished_listenings(&self, node: &str) -> Result<Vec<Listening>> {
        let sql = format!("select {LISTENING} from listenings where node = $1 and state <> 'done' order by began_ms, id");
        self.db.all(built(sql), args![node]).await?.iter().map(read_listening).collect()
    }

    /// It hears no more.
    pub async fn end_listening(&self, id: &RecordingId) -> Result<()> {
        let sql = "update listenings set state = 'writing' where id = $1 and state = 'listening'";
        self.db.run(sql, args![id]).await.map(drop)
    }

    /// Keeps what was said in a piece of sound, in place of what was kept of it before; answers with it, and nothing of
    /// somebody who is not known in the session or was erased.
    pub async fn keep_piece(&self, piece: &WrittenPiece) -> Result<Vec<TranscriptLine>> {
        let WrittenPiece { session, peer, at, .. } = piece;
        quiet!(self.db, |tx| {
            let sql = format!(
                "select participant_id, custom_participant_id, name from session_peers where session_id = $1 and peer_id = $2{}",
                self.db.for_share()
            );
            let Some(who) = tx.one(built(sql), args![session, peer]).await? else { return Ok(Vec::new()) };
            let (custom, name) = (who.text("custom_participant_id")?, who.text("name")?);
            if name == ERASED && custom.is_empty() {
                return Ok(Vec::new());
            }
            let sql = "delete from transcript_lines where session_id = $1 and peer_id = $2 and piece_ms = $3";
            tx.run(sql, args![session, peer, *at]).await?;
            let mut lines = Vec::new();
            for (place, (start_at, end_at, text)) in (0_i64..).zip(&piece.lines) {
                let line = TranscriptLine {
                    peer: peer.clone(),
                    participant: who.id("participant_id")?,
                    custom_participant_id: custom.clone(),
                    name: name.clone(),
                    start_at: *start_at,
                    end_at: *end_at,
                    text: text.clone(),
                };
                let sql = "insert into transcript_lines (session_id, peer_id, piece_ms, place, participant_id, \
                           custom_participant_id, name, start_ms, end_ms, text, enabled, told) \
                           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
                let row = args![
                    session,
                    peer,
                    *at,
                    place,
                    &line.participant,
                    &line.custom_participant_id,
                    &line.name,
                    line.start_at,
                    line.end_at,
                    &line.text,
                    piece.is_enabled,
                    piece.is_told
                ];
                tx.run(sql, row).await?;
                lines.push(line);
            }
            Ok(lines)
        })
    }

    /// What was said in a session, by when it was; only what everybody was told at once, if that is asked for.
    pub async fn transcript_lines(&self, session: &SessionId, only_told: bool) -> Result<Vec<TranscriptLine>> {
        let told = if only_told { " and told = $2" } else { " and (told = $2 or told <> $2)" };
        let sql = format!(
            "select peer_id, participant_id, custom_participant_id, name, start_ms, end_ms, text from transcript_lines \
             where session_id = $1{told} order by start_ms, peer_id, piece_ms, place limit {MAX_LINES}"
        );
        self.db.all(built(sql), args![session, true]).await?.iter().map(read_line).collect()
    }

    /// Everything that a node has heard is written down, but for what `error` says. Without `keeps_all`, what was said by those
    /// goes whose presets do not have it written down. If nobody else has anything left to write, the transcript may be had for
    /// so many milliseconds from now on, and webhooks are told: true. False if there is none, as nothing was said.
    pub async fn finish_listening(
        &self,
        listening: &Listening,
        (keeps_all, error): (bool, Option<String>),
        keep_ms: i64,
        now: Timestamp,
    ) -> Result<bool> {
        let living = self.living_nodes(now).await?;
        let mut woken = Vec::new();
        let session = &listening.session;
        let outcome = quiet!(self.db, |tx| {
            let sql = "update listenings set state = 'done', error = $2 where id = $1";
            tx.run(sql, args![&listening.id, &error]).await?;
            if !keeps_all {
                let sql = "delete from transcript_lines where session_id = $1 and enabled = $2";
                tx.run(sql, args![session, false]).await?;
            }
            let sql = "select node from listenings where session_id = $1 and state <> 'done'";
            for row in tx.all(sql, args![session]).await? {
                if living.contains(&row.text("node")?) {
                    return Ok(false);
                }
            }
            let sql = "select 1 as one from transcript_lines where session_id = $1 limit 1";
            if tx.one(sql, args![session]).await?.is_none() {
                return Ok(false);
            }
            let expires_at = now.plus_ms(keep_ms);
            let sql = "insert into transcripts (session_id, app_id, meeting_id, ready_ms, expires_ms) values ($1, $2, $3, $4, $5) \
                       on conflict (session_id) do update set ready_ms = excluded.ready_ms, expires_ms = excluded.expires_ms";
            tx.run(sql, args![session, &listening.app, &listening.meeting, now, expires_at]).await?;
            let of = (session, &listening.meeting, &listening.app);
            woken = tell(&self.db, tx, of, (TRANSCRIPT_PLACE, expires_at), News::Transcript, now).await?;
            Ok(true)
        });
        if outcome.is_ok() {
            self.bell.wake(woken);
        }
        outcome
    }

    /// The transcript of a session, if there is something in it and its time is not over.
    pub async fn transcript(&self, session: &SessionId, now: Timestamp) -> Result<Option<Transcript>> {
        let sql = format!(
            "select {TRANSCRIPT} from transcripts where session_id = $1 and expires_ms > $2 and exists \
             (select 1 from transcript_lines l where l.session_id = transcripts.session_id)"
        );
        self.db.one(built(sql), args![session, now]).await?.as_ref().map(read_transcript).transpose()
    }

    /// Asks for a summary of a transcript, unless it is being made already.
    pub async fn ask_summary(&self, session: &SessionId, config: &Value, node: &str) -> Result<bool> {
        let sql = "update transcripts set summary_state = 'asked', summary_version = summary_version + 1, summary_node = $3, \
                   summary_config = $2, summary_error = null \
                   where session_id = $1 and (summary_state is null or summary_state <> 'asked')";
        Ok(self.db.run(sql, args![session, config, node]).await? == 1)
    }

    /// The summaries that a node is to make.
    pub async fn asked_summaries(&self, node: &str) -> Result<Vec<SessionId>> {
        let sql = "select session_id from transcripts where summary_node = $1 and summary_state = 'asked' order by ready_ms";
        self.db.all(sql, args![node]).await?.iter().map(|row| row.id("session_id")).collect()
    }

    /// A summary is made, and webhooks are told, or it failed. Nothing happens if it was asked for anew meanwhile, or what it is
    /// of has gone.
    pub async fn end_summary(
        &self,
        session: &SessionId,
        version: u64,
        made: std::result::Result<&str, &str>,
        now: Timestamp,
    ) -> Result<()> {
        let mut woken = Vec::new();
        let outcome = quiet!(self.db, |tx| {
            let (state, text, error) = match made {
                Ok(text) => (SummaryState::Done, Some(text.to_owned()), None),
                Err(why) => (SummaryState::Failed, None, Some(why.to_owned())),
            };
            let sql = "update transcripts set summary_state = $3, summary = coalesce($4, summary), summary_error = $5 \
                       where session_id = $1 and summary_version = $2 and summary_state = 'asked'";
            let row = args![session, version, SUMMARY_STATES.name(state), &text, &error];
            if tx.run(sql, row).await? == 0 || state == SummaryState::Failed {
                return Ok(());
            }
            let sql = format!("select {TRANSCRIPT} from transcripts where session_id = $1");
            let Some(row) = tx.one(built(sql), args![session]).await? else { return Ok(()) };
            let Transcript { app, meeting, expires_at, .. } = read_transcript(&row)?;
            let place = SUMMARY_PLACE + version;
            woken = tell(&self.db, tx, (session, &meeting, &app), (place, expires_at), News::Summary, now).await?;
            Ok(())
        });
        if outcome.is_ok() {
            self.bell.wake(woken);
        }
        outcome
    }

    /// Deletes the transcripts whose time is over, with all that was said.
    pub async fn sweep_transcripts(&self, now: Timestamp) -> Result<()> {
        let sql = "select session_id from transcripts where expires_ms <= $1 order by expires_ms limit 1000";
        for row in self.db.all(sql, args![now]).await? {
            let session = row.text("session_id")?;
            quiet!(self.db, |tx| { forget(tx, &session).await })?;
        }
        Ok(())
    }
}

/// Deletes what was said in a session.
pub(crate) async fn forget(tx: &mut Tx, session: &str) -> Result<()> {
    tx.run("delete from transcript_lines where session_id = $1", args![session]).await?;
    tx.run("delete from transcripts where session_id = $1", args![session]).await?;
    tx.run("delete from listenings where session_id = $1 and state = 'done'", args![session]).await.map(drop)
}

/// Takes a peer out of what was said in a session; what it came to is not told apart, and goes.
pub(crate) async fn forget_peer(tx: &mut Tx, session: &SessionId, peer: &PeerId) -> Result<()> {
    let sql = "delete from transcript_lines where session_id = $1 and peer_id = $2";
    tx.run(sql, args![session, peer]).await?;
    let sql = "update transcripts set summary_state = null, summary = null, summary_error = null where session_id = $1";
    tx.run(sql, args![session]).await.map(drop)
}

/// Tells whoever wants to know; answers with who is to be woken.
async fn tell(
    db: &Db,
    tx: &mut Tx,
    (session, meeting, app): (&SessionId, &MeetingId, &AppId),
    (place, expires_at): (u64, Timestamp),
    news: fn(Written) -> News,
    now: Timestamp,
) -> Result<Vec<WebhookId>> {
    let sql = "select title, started_ms, created_ms, ended_ms, last_seq from sessions where id = $1";
    // A session that was swept meanwhile has nothing to say any more.
    let Some(row) = tx.one(sql, args![session]).await? else { return Ok(Vec::new()) };
    let notice = Notice {
        session: session.clone(),
        meeting: meeting.clone(),
        app: app.clone(),
        title: row.text("title")?,
        started_at: row.time("started_ms")?,
        created_at: row.time("created_ms")?,
        seq: row.count::<u64>("last_seq")? + place,
        at: now,
        news: news(Written { ended_at: row.time_or_null("ended_ms")?.unwrap_or(now), expires_at }),
    };
    announce(db, tx, &notice).await
}

fn read_listening(row: &Row) -> Result<Listening> {
    Ok(Listening {
        id: row.id("id")?,
        app: row.id("app_id")?,
        meeting: row.id("meeting_id")?,
        session: row.id("session_id")?,
        node: row.text("node")?,
        state: LISTENING_STATES.value(&row.text("state")?).ok_or(Error::column("state"))?,
        began_at: row.time("began_ms")?,
    })
}

fn read_line(row: &Row) -> Result<TranscriptLine> {
    Ok(TranscriptLine {
        peer: row.id("peer_id")?,
        participant: row.id("participant_id")?,
        custom_participant_id: row.text("custom_participant_id")?,
        name: row.text("name")?,
        start_at: row.time("start_ms")?,
        end_at: row.time("end_ms")?,
        text: row.text("text")?,
    })
}

fn read_transcript(row: &Row) -> Result<Transcript> {
    let summary = match row.text_or_null("summary_state")? {
        Some(state) => Some(Summary {
            state: SUMMARY_STATES.value(&state).ok_or(Error::column("summary_state"))?,
            version: row.count("summary_version")?,
            config: row.json_or_null("summary_config")?.unwrap_or_default(),
            text: row.text("summary")?,
            error: row.text_or_null("summary_error")?,
        }),
        None => None,
    };
    Ok(Transcript {
        session: row.id("session_id")?,
        app: row.id("app_id")?,
        meeting: row.id("meeting_id")?,
        expires_at: row.time("expires_ms")?,
        summary,
    })
}
