//! What was said: who listens where, the lines that were written down, the transcript of a session and its summary.
//! Invariant: nobody who was erased is written down afterwards; webhooks are told of a transcript in the transaction in which
//! it may be had, and never of an empty one. The sound itself is in no table.
//! Next: `erasure.rs` and `retention.rs`, how it goes.

use std::collections::HashSet;

use salon_core::erasure::ERASED;
use salon_core::notice::{News, Notice, Written};
use salon_core::{AppId, MeetingId, ParticipantId, PeerId, RecordingId, SessionId, Timestamp, WebhookId};
use serde_json::Value;

use crate::Store;
use crate::engine::{Db, Row, Tx, args, built, transaction as quiet};
use crate::error::{Error, Result};
use crate::nodes::living_names;
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
    /// Everybody in the session is told at once.
    pub is_told: bool,
}

/// On what terms a node has transcripts published.
#[derive(Debug, Clone)]
pub struct Terms {
    pub node: String,
    /// It sums up those whose meeting wants it.
    pub sums_up: bool,
    /// How long one may be had, in milliseconds.
    pub keep_ms: i64,
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

/// A summary is asked of node `$2`, to be as `$3` says.
const ASKED: &str = "summary_state = 'asked', summary_version = summary_version + 1, summary_node = $2, \
     summary_config = $3, summary_error = null";

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
    /// somebody who is not known in the session or was erased. `enabled` are those whose presets have it written down.
    pub async fn keep_piece(&self, piece: &WrittenPiece, enabled: &HashSet<ParticipantId>) -> Result<Vec<TranscriptLine>> {
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
                    enabled.contains(&line.participant),
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

    /// Everything that a node has heard is written down, but for what `error` says. If nobody else has anything left to write,
    /// the transcript is published: true. False also if there is none, as nothing was said.
    pub async fn finish_listening(
        &self,
        listening: &Listening,
        error: Option<String>,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<bool> {
        let living = self.living_nodes(now).await?;
        let mut woken = Vec::new();
        let session = &listening.session;
        let outcome = quiet!(self.db, |tx| {
            let others = others(tx, session, listening.id.as_str()).await?;
            let sql = "update listenings set state = 'done', error = $2 where id = $1";
            tx.run(sql, args![&listening.id, &error]).await?;
            if others.iter().any(|node| living.contains(node)) {
                return Ok(false);
            }
            let of = (session, &listening.meeting, &listening.app);
            let told = publish(&self.db, tx, of, terms, now).await?;
            let is_there = told.is_some();
            woken = told.unwrap_or_default();
            Ok(is_there)
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

    /// Asks `node` for a summary of a transcript, unless it is being made already: by a node that lives, or by this one, which
    /// `makes_it` then.
    pub async fn ask_summary(
        &self,
        session: &SessionId,
        config: &Value,
        (node, makes_it): (&str, bool),
        now: Timestamp,
    ) -> Result<bool> {
        let sql = format!(
            "update transcripts set {ASKED} where session_id = $1 and (summary_state is null or summary_state <> 'asked' \
             or (summary_node = $2 and $4 = false) or (summary_node <> $2 and not {}))",
            lives(&self.db, "summary_node", "$5")
        );
        Ok(self.db.run(built(sql), args![session, node, config, makes_it, now]).await? == 1)
    }

    /// The summaries that nodes were asked for which do not live are a node's from now on.
    pub async fn inherit_summaries(&self, node: &str, now: Timestamp) -> Result<()> {
        let sql = format!(
            "update transcripts set summary_node = $1 where summary_state = 'asked' and summary_node <> $1 and not {}",
            lives(&self.db, "summary_node", "$2")
        );
        self.db.run(built(sql), args![node, now]).await.map(drop)
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

    /// Deletes the transcripts whose time is over, with all that was said. Publishes those of sessions that are over which
    /// nobody will, as the nodes that have something left to write do not live; or deletes what was said, if the session ended
    /// so long ago that its transcript would be gone.
    pub async fn sweep_transcripts(&self, terms: &Terms, now: Timestamp) -> Result<()> {
        let sql = "select session_id from transcripts where expires_ms <= $1 order by expires_ms limit 1000";
        for row in self.db.all(sql, args![now]).await? {
            let session = row.text("session_id")?;
            quiet!(self.db, |tx| { forget(tx, &session).await })?;
        }
        let sql = format!(
            "select distinct g.session_id, g.meeting_id, g.app_id, s.ended_ms from listenings g \
             join sessions s on s.id = g.session_id where s.ended_ms is not null \
             and not exists (select 1 from transcripts t where t.session_id = g.session_id) \
             and exists (select 1 from transcript_lines l where l.session_id = g.session_id) \
             and not exists (select 1 from listenings o where o.session_id = g.session_id and o.state <> 'done' \
                             and (o.node = $1 or {})) order by s.ended_ms, g.session_id limit 1000",
            lives(&self.db, "o.node", "$2")
        );
        for row in self.db.all(built(sql), args![terms.node.as_str(), now]).await? {
            let (session, meeting, app): (SessionId, MeetingId, AppId) =
                (row.id("session_id")?, row.id("meeting_id")?, row.id("app_id")?);
            let is_too_late = row.time("ended_ms")?.plus_ms(terms.keep_ms) <= now;
            let mut woken = Vec::new();
            quiet!(self.db, |tx| {
                // Another node may be at it, or was.
                others(tx, &session, "").await?;
                let sql = "select 1 as one from transcripts where session_id = $1";
                if tx.one(sql, args![&session]).await?.is_some() {
                    return Ok(());
                }
                if is_too_late {
                    return forget(tx, session.as_str()).await;
                }
                woken = publish(&self.db, tx, (&session, &meeting, &app), terms, now).await?.unwrap_or_default();
                Ok(())
            })?;
            self.bell.wake(woken);
        }
        Ok(())
    }
}

/// Whether the node whose name is in `column` lives, at the moment in parameter `now` where the database has no clock.
fn lives(db: &Db, column: &'static str, now: &'static str) -> String {
    format!("{column} in ({})", living_names(db, now))
}

/// The nodes that have something left to write of a session, but for one listening. Until the transaction ends nobody else
/// finds out: of those who finish at once one is the last.
async fn others(tx: &mut Tx, session: &SessionId, but: &str) -> Result<Vec<String>> {
    let sql = tx.held("select id, node, state from listenings where session_id = $1 order by id");
    let mut nodes = Vec::new();
    for row in tx.all(sql, args![session]).await? {
        if row.text("id")? != but && row.text("state")? != LISTENING_STATES.name(ListeningState::Done) {
            nodes.push(row.text("node")?);
        }
    }
    Ok(nodes)
}

/// The transcript of a session may be had from now on, in it what its meeting has written down by now; webhooks are told, and
/// a summary is asked for if the meeting wants one. Answers with who is to be woken; `None`, and nothing is left, if nothing was
/// said.
async fn publish(
    db: &Db,
    tx: &mut Tx,
    (session, meeting, app): (&SessionId, &MeetingId, &AppId),
    terms: &Terms,
    now: Timestamp,
) -> Result<Option<Vec<WebhookId>>> {
    let sql = "select transcribe_on_end, summarize_on_end, ai_config from meetings where id = $1";
    let (keeps_all, sum_up) = match tx.one(sql, args![meeting]).await? {
        Some(row) => {
            let config = row.json_or_null("ai_config")?.map_or(Value::Null, |config| config["summarization"].clone());
            let wants = terms.sums_up && row.flag("summarize_on_end")?;
            (row.flag("transcribe_on_end")?, wants.then_some(config))
        }
        None => (false, None),
    };
    if !keeps_all {
        let sql = "delete from transcript_lines where session_id = $1 and enabled = $2";
        tx.run(sql, args![session, false]).await?;
    }
    let sql = "select 1 as one from transcript_lines where session_id = $1 limit 1";
    if tx.one(sql, args![session]).await?.is_none() {
        forget(tx, session.as_str()).await?;
        return Ok(None);
    }
    let expires_at = now.plus_ms(terms.keep_ms);
    let sql = "insert into transcripts (session_id, app_id, meeting_id, ready_ms, expires_ms) values ($1, $2, $3, $4, $5) \
               on conflict (session_id) do update set ready_ms = excluded.ready_ms, expires_ms = excluded.expires_ms";
    tx.run(sql, args![session, app, meeting, now, expires_at]).await?;
    if let Some(config) = sum_up {
        // One that is being made is of less than this.
        let sql = format!("update transcripts set {ASKED} where session_id = $1");
        tx.run(built(sql), args![session, terms.node.as_str(), &config]).await?;
    }
    tell(db, tx, (session, meeting, app), (TRANSCRIPT_PLACE, expires_at), News::Transcript, now).await.map(Some)
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
