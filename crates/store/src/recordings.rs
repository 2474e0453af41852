//! Recordings: what becomes of their files, from when one was asked for until they are gone.
//! Invariant: a change of the status and what webhooks are told of it are one transaction; statuses of one recording are told
//! in order.
//! What happened in the session is in its record; this outlives it.

use std::collections::HashSet;

use salon_core::event::{RecordedBy, RecordingEnd, RecordingKind};
use salon_core::notice::{News, Notice, RecordingReport, RecordingStatus};
use salon_core::{AppId, MeetingId, RecordingId, SessionId, Timestamp, WebhookId};
use serde_json::{Map, Value, json};

use crate::Store;
use crate::engine::{Arg, Db, Row, Tx, args, built, transaction as quiet};
use crate::error::{Error, Result};
use crate::list::{Filter, Listing, Page, search_text};
use crate::nodes::living_names;
use crate::outbox::entries::announce;
use crate::record::{RECORDING_KINDS, Words, decode_recorded_by, decode_recording_end, encode_recorded_by, encode_recording_end};
use crate::transact::transaction;

/// Under which name a row has the address that it is streamed to, among what has secrets in it.
pub(crate) const RTMP_URL: &str = "rtmp_url";

/// One recording. May hold secrets: not for logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Recording {
    pub id: RecordingId,
    pub app: AppId,
    pub meeting: MeetingId,
    pub session: SessionId,
    pub kind: RecordingKind,
    pub status: RecordingStatus,
    /// What was asked for, without secrets.
    pub config: Value,
    /// What has secrets in it: storage of the caller's own until the files are there, and where it is streamed to while it is.
    pub storage: Option<Value>,
    /// The name of the file, or the pattern of those of tracks.
    pub name: String,
    pub invoked_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub stopped_at: Option<Timestamp>,
    /// Time paused so far, in milliseconds, and since when it is.
    pub paused_ms: i64,
    pub paused_since: Option<Timestamp>,
    pub started_by: RecordedBy,
    pub stopped_by: Option<RecordingEnd>,
    pub error: Option<String>,
    pub files: Vec<RecordingFile>,
    /// Whether any of them is in Salon's own storage.
    pub is_kept: bool,
    /// When that is over.
    pub expires_at: Option<Timestamp>,
    /// The node that records it.
    pub node: String,
    /// How often its status changed.
    pub version: u64,
}

/// A file of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingFile {
    pub name: String,
    pub bytes: u64,
    pub kind: RecordingFileKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingFileKind {
    /// Pictures and sound.
    Video,
    /// The sound of everybody.
    Audio,
    /// One voice.
    Track,
}

/// Which recordings of an app to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordingFilter {
    pub page: Page,
    pub meeting: Option<MeetingId>,
    /// Of any of these; of any at all if there is none.
    pub statuses: Vec<RecordingStatus>,
    /// Those whose files are gone, or those that are not.
    pub expired: Option<bool>,
    /// When they were asked for.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub now: Timestamp,
}

/// The recordings that began on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordingDay {
    /// Days since the epoch, UTC.
    pub day: i64,
    pub recordings: u64,
    pub recorded_ms: i64,
}

const STATUSES: Words<RecordingStatus> = Words(&[
    (RecordingStatus::Invoked, "INVOKED"),
    (RecordingStatus::Recording, "RECORDING"),
    (RecordingStatus::Paused, "PAUSED"),
    (RecordingStatus::Uploading, "UPLOADING"),
    (RecordingStatus::Uploaded, "UPLOADED"),
    (RecordingStatus::Errored, "ERRORED"),
]);
const FILE_KINDS: Words<RecordingFileKind> =
    Words(&[(RecordingFileKind::Video, "video"), (RecordingFileKind::Audio, "audio"), (RecordingFileKind::Track, "track")]);

pub(crate) const COLUMNS: &str = "id, app_id, meeting_id, session_id, kind, status, config, storage, name, invoked_ms, started_ms, \
     stopped_ms, paused_ms, paused_since_ms, started_by, stopped_by, error, files, kept, expires_ms, node, version";

/// Statuses of recordings that are not over.
const ACTIVE: &str = "('INVOKED', 'RECORDING', 'PAUSED')";

/// Statuses of recordings that are neither stored nor lost.
pub(crate) const UNFINISHED: &str = "('INVOKED', 'RECORDING', 'PAUSED', 'UPLOADING')";

/// What is missing of a recording counts from so many milliseconds on.
const AGREES_MS: i64 = 2_500;

/// What nodes that do not live have left is looked at by so many at a time.
pub(crate) const STRANDED: u32 = 1_000;

impl Recording {
    /// Neither stored nor lost.
    pub fn is_unfinished(&self) -> bool {
        !matches!(self.status, RecordingStatus::Uploaded | RecordingStatus::Errored)
    }

    /// Recorded milliseconds up to `now`, pauses left out.
    pub fn recorded_ms(&self, now: Timestamp) -> i64 {
        let Some(started) = self.started_at else { return 0 };
        let until = self.stopped_at.or(self.paused_since).unwrap_or(now);
        (until.since(started) - self.paused_ms).max(0)
    }

    /// Bytes of all files; none before there are any.
    pub fn bytes(&self) -> Option<u64> {
        (!self.files.is_empty()).then(|| self.files.iter().map(|file| file.bytes).sum())
    }

    /// What is in Salon's own storage and may be had still.
    pub fn downloads(&self, now: Timestamp) -> &[RecordingFile] {
        let is_there = self.is_kept && self.status == RecordingStatus::Uploaded && self.expires_at.is_none_or(|at| at > now);
        if is_there { &self.files } else { &[] }
    }

    /// It has paused, or runs again.
    pub fn pause(&mut self, paused: bool, at: Timestamp) {
        match (paused, self.status) {
            (true, RecordingStatus::Recording) => {
                (self.status, self.paused_since) = (RecordingStatus::Paused, Some(at));
            }
            (false, RecordingStatus::Paused) => {
                self.end_pause(at);
                self.status = RecordingStatus::Recording;
            }
            _ => {}
        }
    }

    /// Its last moment is recorded.
    pub fn stop(&mut self, why: RecordingEnd, at: Timestamp) {
        self.end_pause(at);
        self.stopped_at = self.started_at.map(|started| started.max(at));
        self.stopped_by = Some(why);
        self.status = RecordingStatus::Uploading;
    }

    /// Has what was not recorded count as a pause: recorders died, or were away with what they had. `recorded_ms` is what is there.
    /// Recorders and who sees to them do not agree to the second.
    pub fn leave_out(&mut self, recorded_ms: Option<u64>) {
        let (Some(until), Some(there)) = (self.stopped_at, recorded_ms) else { return };
        let missing = self.recorded_ms(until) - i64::try_from(there).unwrap_or(i64::MAX);
        if missing > AGREES_MS {
            self.paused_ms += missing;
        }
    }

    /// The address that it is streamed to, which has a key in it.
    pub fn rtmp_url(&self) -> Option<&str> {
        self.storage.as_ref()?.get(RTMP_URL)?.as_str()
    }

    /// Has it streamed to this address as well.
    pub fn stream_to(&mut self, url: &str) {
        let storage = self.storage.get_or_insert_with(|| Value::Object(Map::new()));
        storage[RTMP_URL] = url.into();
    }

    /// Forgets where it was streamed to.
    pub fn forget_rtmp_url(&mut self) {
        if let Some(storage) = self.storage.as_mut().and_then(Value::as_object_mut) {
            storage.remove(RTMP_URL);
        }
        self.storage.take_if(|storage| storage.as_object().is_some_and(Map::is_empty));
    }

    /// Whether there are to be no files of it: whoever it is streamed to has all there is.
    pub fn is_only_streamed(&self) -> bool {
        self.config["video"]["file"] == false && self.config["audio"]["file"] != true
    }

    fn end_pause(&mut self, at: Timestamp) {
        if let Some(since) = self.paused_since.take() {
            self.paused_ms += at.since(since).max(0);
        }
    }
}

impl Store {
    /// Stores a new recording.
    pub async fn create_recording(&self, recording: &Recording) -> Result<()> {
        let mut woken = Vec::new();
        let outcome = transaction!(self.db, |tx| {
            let sql = format!(
                "insert into recordings ({COLUMNS}, search_text) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
                 $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)"
            );
            let found_by = search_text(&[recording.id.as_str(), recording.meeting.as_str(), &recording.name]);
            let mut row = values(recording);
            row.push(Arg::from(&found_by));
            tx.run(built(sql), row).await?;
            woken = tell(&self.db, tx, recording, recording.invoked_at).await?;
            Ok(())
        });
        if outcome.is_ok() {
            self.bell.wake(woken);
        }
        outcome
    }

    /// Makes of a recording what `change` makes of it, and tells webhooks of its status if that is another; that it pauses and
    /// goes on is none of theirs. `NotFound` if there is none of this id.
    pub async fn edit_recording(&self, id: &RecordingId, now: Timestamp, change: impl Fn(&mut Recording)) -> Result<Recording> {
        let mut woken = Vec::new();
        let outcome = quiet!(self.db, |tx| {
            let sql = format!("select {COLUMNS} from recordings where id = $1{}", self.db.for_update());
            let before = read(&tx.one(built(sql), args![id]).await?.ok_or(Error::NotFound)?)?;
            let mut after = before.clone();
            change(&mut after);
            if after == before {
                return Ok(after);
            }
            let goes_on = before.status == RecordingStatus::Paused && after.status == RecordingStatus::Recording;
            let is_news = after.status != before.status && after.status != RecordingStatus::Paused && !goes_on;
            after.version += u64::from(is_news);
            let sql = "update recordings set app_id = $2, meeting_id = $3, session_id = $4, kind = $5, status = $6, config = $7, \
                       storage = $8, name = $9, invoked_ms = $10, started_ms = $11, stopped_ms = $12, paused_ms = $13, \
                       paused_since_ms = $14, started_by = $15, stopped_by = $16, error = $17, files = $18, kept = $19, \
                       expires_ms = $20, node = $21, version = $22 where id = $1";
            tx.run(sql, values(&after)).await?;
            woken = if is_news { tell(&self.db, tx, &after, now).await? } else { Vec::new() };
            Ok(after)
        });
        if outcome.is_ok() {
            self.bell.wake(woken);
        }
        outcome
    }

    /// The recording of this id, whosever it is.
    pub async fn recording(&self, id: &RecordingId) -> Result<Option<Recording>> {
        let sql = format!("select {COLUMNS} from recordings where id = $1");
        self.db.one(built(sql), args![id]).await?.as_ref().map(read).transpose()
    }

    /// The recordings of an app, searched by id, meeting and name.
    pub async fn recordings(&self, app: &AppId, filter: &RecordingFilter) -> Result<Listing<Recording>> {
        let page = &filter.page;
        let mut recordings = Filter::new("app_id = ?", app);
        if let Some(meeting) = &filter.meeting {
            recordings.and("meeting_id = ?", meeting);
        }
        if !filter.statuses.is_empty() {
            // Words of our own, nothing that came from outside.
            let names: Vec<_> = filter.statuses.iter().map(|status| format!("'{}'", STATUSES.name(*status))).collect();
            recordings.and_fixed(&format!("status in ({})", names.join(", ")));
        }
        match filter.expired {
            Some(true) => recordings.and("expires_ms <= ?", filter.now),
            Some(false) => recordings.and("(expires_ms is null or expires_ms > ?)", filter.now),
            None => {}
        }
        recordings.and_between("invoked_ms", filter.from, filter.to);
        recordings.and_search("search_text", page.search.as_deref());
        let order = if page.newest_first { "invoked_ms desc, id desc" } else { "invoked_ms, id" };
        recordings.list(&self.db, (COLUMNS, "recordings"), (order, None), page, read).await
    }

    /// The latest recording of a meeting that is not over.
    pub async fn active_recording(&self, meeting: &MeetingId) -> Result<Option<Recording>> {
        let sql = format!(
            "select {COLUMNS} from recordings where meeting_id = $1 and status in {ACTIVE} order by invoked_ms desc, id desc limit 1"
        );
        self.db.one(built(sql), args![meeting]).await?.as_ref().map(read).transpose()
    }

    /// The live sessions of an app in which something is recorded.
    pub async fn recorded_sessions(&self, app: &AppId) -> Result<HashSet<SessionId>> {
        // From the live ones, which are few, to their recordings.
        let sql = format!(
            "select s.id from sessions s where s.app_id = $1 and s.ended_ms is null and exists \
             (select 1 from recordings r where r.session_id = s.id and r.status in {ACTIVE})"
        );
        self.db.all(built(sql), args![app]).await?.iter().map(|row| row.id("id")).collect()
    }

    /// The recordings of a node that are neither stored nor lost, oldest first.
    pub async fn unfinished_recordings(&self, node: &str) -> Result<Vec<Recording>> {
        let sql = format!(
            "select {COLUMNS} from recordings where node = $1 and status in {UNFINISHED} \
             order by invoked_ms, id"
        );
        self.db.all(built(sql), args![node]).await?.iter().map(read).collect()
    }

    /// The recordings of all other nodes that are neither stored nor lost, after those that no node has yet; oldest first.
    pub async fn unfinished_elsewhere(&self, node: &str) -> Result<Vec<Recording>> {
        let sql = format!(
            "select {COLUMNS} from recordings where node <> $1 and status in {UNFINISHED} \
             order by case node when '' then 0 else 1 end, invoked_ms, id limit {STRANDED}"
        );
        self.db.all(built(sql), args![node]).await?.iter().map(read).collect()
    }

    /// Recordings that are neither stored nor lost, of other nodes that do not live: some of them, oldest first.
    pub async fn stranded_recordings(&self, node: &str, now: Timestamp) -> Result<Vec<Recording>> {
        let sql = format!(
            "select {COLUMNS} from recordings where node <> $1 and status in {UNFINISHED} and node not in ({}) \
             order by invoked_ms, id limit {STRANDED}",
            living_names(&self.db, "$2")
        );
        self.db.all(built(sql), args![node, now]).await?.iter().map(read).collect()
    }

    /// Recordings whose files are to go, at most `limit` of those after the one given.
    pub async fn recordings_over(&self, now: Timestamp, after: Option<&Recording>, limit: u32) -> Result<Vec<Recording>> {
        let (at, id) = after.map_or((Timestamp(i64::MIN), ""), |last| (last.expires_at.unwrap_or_default(), last.id.as_str()));
        let sql = format!(
            "select {COLUMNS} from recordings where kept = $1 and expires_ms <= $2 and (expires_ms, id) > ($3, $4) \
             order by expires_ms, id limit $5"
        );
        self.db.all(built(sql), args![true, now, at, id, limit]).await?.iter().map(read).collect()
    }

    /// Forgets recordings that are over, have no files here any more, and whose session is gone.
    pub async fn forget_recordings(&self) -> Result<u64> {
        let sql = format!(
            "delete from recordings where kept = $1 and status not in {ACTIVE} and status <> 'UPLOADING' \
             and not exists (select 1 from sessions s where s.id = recordings.session_id)"
        );
        self.db.run(built(sql), args![false]).await
    }

    /// The days from one to another on which recordings of this app began, with what was recorded up to `now`.
    pub async fn recording_days(&self, app: &AppId, from: i64, to: i64, now: Timestamp) -> Result<Vec<RecordingDay>> {
        let sql = "select started_ms / 86400000 as day, count(*) as recordings, \
                   cast(sum(coalesce(stopped_ms, paused_since_ms, $4) - started_ms - paused_ms) as bigint) as recorded_ms \
                   from recordings where app_id = $1 and started_ms / 86400000 between $2 and $3 \
                   group by started_ms / 86400000 order by 1";
        let rows = self.db.all(sql, args![app, from, to, now]).await?;
        let read = |row: &Row| {
            let recorded_ms = row.int("recorded_ms")?.max(0);
            Ok(RecordingDay { day: row.int("day")?, recordings: row.count("recordings")?, recorded_ms })
        };
        rows.iter().map(read).collect()
    }
}

/// Tells whoever wants to know how a recording stands; answers with who is to be woken.
async fn tell(db: &Db, tx: &mut Tx, recording: &Recording, now: Timestamp) -> Result<Vec<WebhookId>> {
    let sql = "select title, started_ms, created_ms from sessions where id = $1";
    // A session that was swept meanwhile has nothing to say any more.
    let (title, started_at, created_at) = match tx.one(sql, args![&recording.session]).await? {
        Some(row) => (row.text("title")?, row.time("started_ms")?, row.time("created_ms")?),
        None => (String::new(), recording.invoked_at, recording.invoked_at),
    };
    let notice = Notice {
        session: recording.session.clone(),
        meeting: recording.meeting.clone(),
        app: recording.app.clone(),
        title,
        started_at,
        created_at,
        seq: recording.version,
        at: now,
        news: News::Recording(Box::new(report(recording, now))),
    };
    announce(db, tx, &notice).await
}

/// What those outside are told of one.
fn report(recording: &Recording, now: Timestamp) -> RecordingReport {
    let named =
        |kind: RecordingFileKind| recording.files.iter().filter(move |file| file.kind == kind).map(|file| file.name.clone());
    let is_kept = recording.is_kept;
    RecordingReport {
        recording: recording.id.clone(),
        kind: recording.kind,
        status: recording.status,
        name: recording.name.clone(),
        started_at: recording.started_at,
        stopped_at: recording.stopped_at,
        bytes: recording.bytes(),
        recorded_ms: recording.recorded_ms(now),
        video: named(RecordingFileKind::Video).next().filter(|_| is_kept),
        audio: named(RecordingFileKind::Audio).next().filter(|_| is_kept),
        tracks: if is_kept { named(RecordingFileKind::Track).collect() } else { Vec::new() },
        expires_at: recording.expires_at,
    }
}

/// Files as they are kept.
pub(crate) fn encode_files(files: &[RecordingFile]) -> Value {
    let file = |file: &RecordingFile| json!({ "name": file.name, "bytes": file.bytes, "kind": FILE_KINDS.name(file.kind) });
    files.iter().map(file).collect()
}

fn values(recording: &Recording) -> Vec<Arg> {
    args![
        &recording.id,
        &recording.app,
        &recording.meeting,
        &recording.session,
        RECORDING_KINDS.name(recording.kind),
        STATUSES.name(recording.status),
        &recording.config,
        &recording.storage,
        &recording.name,
        recording.invoked_at,
        recording.started_at,
        recording.stopped_at,
        recording.paused_ms,
        recording.paused_since,
        &encode_recorded_by(&recording.started_by),
        &recording.stopped_by.as_ref().map(encode_recording_end),
        &recording.error,
        &encode_files(&recording.files),
        recording.is_kept,
        recording.expires_at,
        recording.node.as_str(),
        recording.version,
    ]
}

pub(crate) fn read(row: &Row) -> Result<Recording> {
    let files = row.json("files")?;
    let file = |file: &Value| {
        Some(RecordingFile {
            name: file["name"].as_str()?.to_owned(),
            bytes: file["bytes"].as_u64()?,
            kind: FILE_KINDS.value(file["kind"].as_str()?)?,
        })
    };
    let files = files.as_array().and_then(|files| files.iter().map(file).collect::<Option<Vec<_>>>());
    let stopped_by = row.json_or_null("stopped_by")?.map(|why| decode_recording_end(&why).ok_or(Error::column("stopped_by")));
    Ok(Recording {
        id: row.id("id")?,
        app: row.id("app_id")?,
        meeting: row.id("meeting_id")?,
        session: row.id("session_id")?,
        kind: RECORDING_KINDS.value(&row.text("kind")?).ok_or(Error::column("kind"))?,
        status: STATUSES.value(&row.text("status")?).ok_or(Error::column("status"))?,
        config: row.json("config")?,
        storage: row.json_or_null("storage")?,
        name: row.text("name")?,
        invoked_at: row.time("invoked_ms")?,
        started_at: row.time_or_null("started_ms")?,
        stopped_at: row.time_or_null("stopped_ms")?,
        paused_ms: row.int("paused_ms")?,
        paused_since: row.time_or_null("paused_since_ms")?,
        started_by: decode_recorded_by(&row.json("started_by")?).ok_or(Error::column("started_by"))?,
        stopped_by: stopped_by.transpose()?,
        error: row.text_or_null("error")?,
        files: files.ok_or(Error::column("files"))?,
        is_kept: row.flag("kept")?,
        expires_at: row.time_or_null("expires_ms")?,
        node: row.text("node")?,
        version: row.count("version")?,
    })
}
