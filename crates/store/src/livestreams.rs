//! Livestreams, of meetings or of none: how each stands, and what was watched of it.
//! Invariant: a change of the status and what webhooks are told of it are one transaction; sums that were told never fall.
//! What happened in the session is in its record; this outlives it.

use std::fmt;

use salon_core::event::{RecordedBy, RecordingEnd};
use salon_core::notice::{LivestreamReport, LivestreamStatus, News, Notice};
use salon_core::{AppId, MeetingId, RecordingId, SessionId, Timestamp, WebhookId};
use serde_json::Value;

use crate::Store;
use crate::engine::{Arg, Db, Row, Tx, args, built, transaction as quiet};
use crate::error::{Error, Result};
use crate::list::{Filter, Listing, Page, by_creation};
use crate::nodes::living_names;
use crate::outbox::entries::announce;
use crate::record::{Words, decode_recorded_by, decode_recording_end, encode_recorded_by, encode_recording_end};
use crate::recordings::{RTMP_URL, STRANDED};
use crate::transact::transaction;

/// One livestream. Its secret lets whoever knows it watch, and its key stream: not for logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Livestream {
    pub id: RecordingId,
    pub app: AppId,
    /// None of one that is of no meeting, as the session.
    pub meeting: Option<MeetingId>,
    pub session: Option<SessionId>,
    /// What the API calls the livestream's session: the latest.
    pub run: String,
    /// When that was asked for; none before anything has come.
    pub invoked_at: Option<Timestamp>,
    pub name: Option<String>,
    /// 32 hex digits, in the address under which it is watched.
    pub secret: String,
    pub status: LivestreamStatus,
    /// What was asked for; while it goes on, with the address that it is streamed to as well.
    pub config: Value,
    pub created_at: Timestamp,
    /// When it could be watched first.
    pub started_at: Option<Timestamp>,
    pub stopped_at: Option<Timestamp>,
    pub updated_at: Timestamp,
    /// Milliseconds that could be watched, and that were, by all who did.
    pub ingest_ms: u64,
    pub viewer_ms: u64,
    pub started_by: RecordedBy,
    pub stopped_by: Option<RecordingEnd>,
    pub error: Option<String>,
    /// Whether it can be watched after its end, and until when.
    pub is_kept: bool,
    pub expires_at: Option<Timestamp>,
    /// The node that makes it.
    pub node: String,
    /// How often its status changed.
    pub version: u64,
    /// What comes after its id in the key with which it is streamed to us, if it comes from elsewhere.
    pub key: Option<String>,
    /// Nobody may stream it to us.
    pub is_disabled: bool,
}

/// Which livestreams to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LivestreamFilter {
    pub page: Page,
    pub meeting: Option<MeetingId>,
    pub session: Option<SessionId>,
    pub status: Option<LivestreamStatus>,
    /// Those of meetings are left out.
    pub of_none: bool,
    /// When they were asked for.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// The livestreams that were asked for on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LivestreamDay {
    /// Days since the epoch, UTC.
    pub day: i64,
    pub livestreams: u64,
    pub ingest_ms: u64,
    pub viewer_ms: u64,
}

const STATUSES: Words<LivestreamStatus> = Words(&[
    (LivestreamStatus::Invoked, "INVOKED"),
    (LivestreamStatus::Live, "LIVE"),
    (LivestreamStatus::Idle, "IDLE"),
    (LivestreamStatus::Errored, "ERRORED"),
]);

const COLUMNS: &str = "id, app_id, meeting_id, session_id, run_id, name, secret, status, config, created_ms, started_ms, \
     stopped_ms, updated_ms, ingest_ms, viewer_ms, started_by, stopped_by, error, kept, expires_ms, node, version, stream_key, \
     disabled, invoked_ms";

/// Old ones that go at once.
const SWEPT: u32 = 1_000;

/// How many of them there are.
const PLACES: usize = 25;

/// Those of a session that is not the latest.
const PAST: &str = "run_id, livestream_id, app_id, invoked_ms, started_ms, stopped_ms, updated_ms, ingest_ms, viewer_ms, error";

/// Digits of an id in a stream key.
const ID_DIGITS: usize = 32;

impl fmt::Debug for Livestream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Livestream").field("id", &self.id).field("status", &self.status).finish_non_exhaustive()
    }
}

impl Livestream {
    /// Whether it goes on.
    pub fn is_active(&self) -> bool {
        matches!(self.status, LivestreamStatus::Invoked | LivestreamStatus::Live)
    }

    /// Nobody streams it any more, for this reason.
    pub fn fail(&mut self, why: &str) {
        (self.status, self.stopped_at) = (LivestreamStatus::Errored, self.watched_until());
        (self.stopped_by, self.error) = (Some(RecordingEnd::Failed), Some(why.to_owned()));
        self.forget_rtmp_url();
    }

    /// Until when it could be watched, as far as it was noted.
    fn watched_until(&self) -> Option<Timestamp> {
        self.started_at.map(|at| at.plus_ms(i64::try_from(self.ingest_ms).unwrap_or(0)))
    }

    /// With what it is streamed to us, if it comes from elsewhere: its id, by which it is found, and what nobody can guess.
    pub fn stream_key(&self) -> Option<String> {
        let key = self.key.as_ref()?;
        Some(format!("{}{key}", self.id.as_str().replace('-', "")))
    }

    /// Which livestream a stream key is of, and what of it nobody can guess; none if it is no such key.
    pub fn of_stream_key(key: &str) -> Option<(RecordingId, &str)> {
        let (id, secret) = key.split_at_checked(ID_DIGITS)?;
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
        if !plain(key) || secret.len() != ID_DIGITS {
            return None;
        }
        let parts = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]];
        Some((RecordingId::parse(&parts.join("-")).ok()?, secret))
    }

    /// When what goes on was asked for.
    pub fn asked_at(&self) -> Timestamp {
        self.invoked_at.unwrap_or(self.created_at)
    }

    /// The address that it is streamed to as well, which has a key in it.
    pub fn rtmp_url(&self) -> Option<&str> {
        self.config.get(RTMP_URL)?.as_str()
    }

    /// Has it streamed to this address as well.
    pub fn stream_to(&mut self, url: &str) {
        self.config[RTMP_URL] = url.into();
    }

    /// Forgets where it was streamed to.
    pub fn forget_rtmp_url(&mut self) {
        if let Some(config) = self.config.as_object_mut() {
            config.remove(RTMP_URL);
        }
    }

    /// Where it is watched.
    pub fn playback_url(&self) -> String {
        let here = self.config["here"].as_str().unwrap_or_default();
        format!("{here}/live/{}/index.m3u8", self.secret)
    }
}

impl Store {
    /// Stores a new livestream.
    pub async fn create_livestream(&self, livestream: &Livestream) -> Result<()> {
        let mut woken = Vec::new();
        let outcome = transaction!(self.db, |tx| {
            let places: Vec<_> = (1..=PLACES).map(|place| format!("${place}")).collect();
            let sql = format!("insert into livestreams ({COLUMNS}) values ({})", places.join(", "));
            tx.run(built(sql), values(livestream)).await?;
            woken = tell(&self.db, tx, livestream, livestream.created_at).await?;
            Ok(())
        });
        if outcome.is_ok() {
            self.bell.wake(woken);
        }
        outcome
    }

    /// Makes of a livestream what `change` makes of it, and tells webhooks of its status if that is another. `NotFound` if there
    /// is none of this id.
    pub async fn edit_livestream(
        &self,
        id: &RecordingId,
        now: Timestamp,
        change: impl Fn(&mut Livestream),
    ) -> Result<Livestream> {
        let mut woken = Vec::new();
        let outcome = quiet!(self.db, |tx| {
            let sql = format!("select {COLUMNS} from livestreams where id = $1{}", self.db.for_update());
            let before = read(&tx.one(built(sql), args![id]).await?.ok_or(Error::NotFound)?)?;
            let mut after = before.clone();
            change(&mut after);
            if after == before {
                return Ok(after);
            }
            let is_news = after.status != before.status;
            if let (true, Some(invoked_at)) = (after.run != before.run, before.invoked_at) {
                // It has a new session: the one before is kept beside it.
                let sql = format!("insert into livestream_sessions ({PAST}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
                tx.run(built(sql), past_values(&before, invoked_at)).await?;
            }
            if is_news {
                (after.version, after.updated_at) = (before.version + 1, now);
            }
            let sql = "update livestreams set app_id = $2, meeting_id = $3, session_id = $4, run_id = $5, name = $6, secret = $7, \
                       status = $8, config = $9, created_ms = $10, started_ms = $11, stopped_ms = $12, updated_ms = $13, \
                       ingest_ms = $14, viewer_ms = $15, started_by = $16, stopped_by = $17, error = $18, kept = $19, \
                       expires_ms = $20, node = $21, version = $22, stream_key = $23, disabled = $24, invoked_ms = $25 where id = $1";
            tx.run(sql, values(&after)).await?;
            woken = if is_news { tell(&self.db, tx, &after, now).await? } else { Vec::new() };
            Ok(after)
        });
        if outcome.is_ok() {
            self.bell.wake(woken);
        }
        outcome
    }

    /// The livestream of this id, whosever it is.
    pub async fn livestream(&self, id: &RecordingId) -> Result<Option<Livestream>> {
        let sql = format!("select {COLUMNS} from livestreams where id = $1");
        self.db.one(built(sql), args![id]).await?.as_ref().map(read).transpose()
    }

    /// The one whose session has this id.
    pub async fn livestream_of_run(&self, run: &str) -> Result<Option<Livestream>> {
        let sql = format!("select {COLUMNS} from livestreams where run_id = $1");
        let latest = self.db.one(built(sql), args![run]).await?.as_ref().map(read).transpose()?;
        if latest.is_some() {
            return Ok(latest);
        }
        let sql = format!("select {PAST} from livestream_sessions where run_id = $1");
        let Some(past) = self.db.one(built(sql), args![run]).await? else { return Ok(None) };
        let found = self.livestream(&past.id("livestream_id")?).await?;
        found.map(|found| of_past(&found, &past)).transpose()
    }

    /// The sessions of a livestream as it would be with each of them, the latest first.
    pub async fn livestream_runs(&self, livestream: &Livestream, page: &Page) -> Result<Listing<Livestream>> {
        let latest = u64::from(livestream.invoked_at.is_some());
        let is_first = page.offset == 0 && latest == 1 && page.limit > 0;
        let taken = u32::from(is_first);
        let rest = Page { offset: page.offset.saturating_sub(latest), limit: page.limit - taken, ..page.clone() };
        let past = Filter::new("livestream_id = ?", &livestream.id);
        let order = ("invoked_ms desc, run_id desc", None);
        let read = |row: &Row| of_past(livestream, row);
        let past = past.list(&self.db, (PAST, "livestream_sessions"), order, &rest, read).await?;
        let items = is_first.then(|| livestream.clone()).into_iter().chain(past.items).collect();
        Ok(Listing { items, total: past.total + latest })
    }

    /// The one that is watched with this secret.
    pub async fn livestream_of_secret(&self, secret: &str) -> Result<Option<Livestream>> {
        let sql = format!("select {COLUMNS} from livestreams where secret = $1");
        self.db.one(built(sql), args![secret]).await?.as_ref().map(read).transpose()
    }

    /// The livestream of a meeting that goes on.
    pub async fn active_livestream(&self, meeting: &MeetingId) -> Result<Option<Livestream>> {
        let sql = format!(
            "select {COLUMNS} from livestreams where meeting_id = $1 and status in ('INVOKED', 'LIVE') \
             order by created_ms desc, id desc limit 1"
        );
        self.db.one(built(sql), args![meeting]).await?.as_ref().map(read).transpose()
    }

    /// The livestreams of an app.
    pub async fn livestreams(&self, app: &AppId, filter: &LivestreamFilter) -> Result<Listing<Livestream>> {
        let page = &filter.page;
        let mut livestreams = Filter::new("app_id = ?", app);
        if let Some(meeting) = &filter.meeting {
            livestreams.and("meeting_id = ?", meeting);
        }
        if let Some(session) = &filter.session {
            livestreams.and("session_id = ?", session);
        }
        if let Some(status) = filter.status {
            livestreams.and("status = ?", STATUSES.name(status));
        }
        if filter.of_none {
            livestreams.and_fixed("meeting_id is null");
        }
        livestreams.and_between("created_ms", filter.from, filter.to);
        livestreams.list(&self.db, (COLUMNS, "livestreams"), by_creation(page), page, read).await
    }

    /// Those of a node that go on or can be watched still, oldest first.
    pub async fn livestreams_of_node(&self, node: &str) -> Result<Vec<Livestream>> {
        let sql = format!(
            "select {COLUMNS} from livestreams where node = $1 and (kept = $2 or status in ('INVOKED', 'LIVE')) \
             order by created_ms, id"
        );
        self.db.all(built(sql), args![node, true]).await?.iter().map(read).collect()
    }

    /// Livestreams that go on, of all other nodes, after those that no node has yet; oldest first.
    pub async fn livestreams_elsewhere(&self, node: &str) -> Result<Vec<Livestream>> {
        let sql = format!(
            "select {COLUMNS} from livestreams where node <> $1 and status in ('INVOKED', 'LIVE') \
             order by case node when '' then 0 else 1 end, created_ms, id limit {STRANDED}"
        );
        self.db.all(built(sql), args![node]).await?.iter().map(read).collect()
    }

    /// Livestreams that go on, of other nodes that do not live: some of them, oldest first.
    pub async fn stranded_livestreams(&self, node: &str, now: Timestamp) -> Result<Vec<Livestream>> {
        let sql = format!(
            "select {COLUMNS} from livestreams where node <> $1 and status in ('INVOKED', 'LIVE') and node not in ({}) \
             order by created_ms, id limit {STRANDED}",
            living_names(&self.db, "$2")
        );
        self.db.all(built(sql), args![node, now]).await?.iter().map(read).collect()
    }

    /// Forgets livestreams that cannot be watched any more and whose session is gone.
    pub async fn forget_livestreams(&self) -> Result<u64> {
        let sql = "delete from livestreams where kept = $1 and status not in ('INVOKED', 'LIVE') \
                   and session_id is not null and not exists (select 1 from sessions s where s.id = livestreams.session_id)";
        self.db.run(sql, args![false]).await
    }

    /// Forgets sessions of livestreams of no meeting that are older, a part at a time, except the latest of each; true when nothing is
    /// left of them.
    pub async fn clear_livestream_sessions(&self, before: Timestamp) -> Result<bool> {
        let sql = "delete from livestream_sessions where run_id in (select run_id from livestream_sessions where invoked_ms < $1 limit $2)";
        let gone = self.db.run(sql, args![before, SWEPT]).await?;
        Ok(gone < u64::from(SWEPT))
    }

    /// The livestreams of an app that were asked for in this time, by day.
    pub async fn livestream_days(&self, app: &AppId, from: Timestamp, to: Timestamp) -> Result<Vec<LivestreamDay>> {
        let sql = "select invoked_ms / 86400000 as day, count(*) as livestreams, cast(sum(ingest_ms) as bigint) as ingest_ms, \
                   cast(sum(viewer_ms) as bigint) as viewer_ms from \
                   (select app_id, invoked_ms, ingest_ms, viewer_ms from livestreams union all \
                   select app_id, invoked_ms, ingest_ms, viewer_ms from livestream_sessions) each_of_them \
                   where app_id = $1 and invoked_ms between $2 and $3 group by invoked_ms / 86400000 order by 1";
        let read = |row: &Row| {
            Ok(LivestreamDay {
                day: row.int("day")?,
                livestreams: row.count("livestreams")?,
                ingest_ms: row.count("ingest_ms")?,
                viewer_ms: row.count("viewer_ms")?,
            })
        };
        self.db.all(sql, args![app, from, to]).await?.iter().map(read).collect()
    }
}

/// Tells whoever wants to know how a livestream stands; answers with who is to be woken.
async fn tell(db: &Db, tx: &mut Tx, livestream: &Livestream, now: Timestamp) -> Result<Vec<WebhookId>> {
    let row = tx.one("select title from sessions where id = $1", args![&livestream.session]).await?;
    let odd = |column| Error::column(column);
    let (session, meeting) = match (&livestream.session, &livestream.meeting) {
        (Some(session), Some(meeting)) => (session.clone(), meeting.clone()),
        _ => (
            SessionId::parse(&livestream.run).map_err(|_| odd("run_id"))?,
            MeetingId::parse(livestream.id.as_str()).map_err(|_| odd("id"))?,
        ),
    };
    let notice = Notice {
        session,
        meeting,
        app: livestream.app.clone(),
        // A session that was swept meanwhile has nothing to say any more.
        title: row.map(|row| row.text("title")).transpose()?.unwrap_or_default(),
        started_at: livestream.created_at,
        created_at: livestream.created_at,
        seq: livestream.version,
        at: now,
        news: News::Livestream(LivestreamReport {
            livestream: livestream.id.clone(),
            status: livestream.status,
            playback_url: livestream.playback_url(),
            is_ingested: livestream.key.is_some(),
            is_of_meeting: livestream.meeting.is_some(),
        }),
    };
    announce(db, tx, &notice).await
}

fn values(livestream: &Livestream) -> Vec<Arg> {
    args![
        &livestream.id,
        &livestream.app,
        &livestream.meeting,
        &livestream.session,
        livestream.run.as_str(),
        &livestream.name,
        livestream.secret.as_str(),
        STATUSES.name(livestream.status),
        &livestream.config,
        livestream.created_at,
        livestream.started_at,
        livestream.stopped_at,
        livestream.updated_at,
        livestream.ingest_ms,
        livestream.viewer_ms,
        &encode_recorded_by(&livestream.started_by),
        &livestream.stopped_by.as_ref().map(encode_recording_end),
        &livestream.error,
        livestream.is_kept,
        livestream.expires_at,
        livestream.node.as_str(),
        livestream.version,
        &livestream.key,
        livestream.is_disabled,
        livestream.invoked_at,
    ]
}

fn past_values(livestream: &Livestream, invoked_at: Timestamp) -> Vec<Arg> {
    args![
        livestream.run.as_str(),
        &livestream.id,
        &livestream.app,
        invoked_at,
        livestream.started_at,
        livestream.stopped_at,
        livestream.updated_at,
        livestream.ingest_ms,
        livestream.viewer_ms,
        &livestream.error,
    ]
}

/// A livestream as it is with a session of before.
fn of_past(livestream: &Livestream, past: &Row) -> Result<Livestream> {
    Ok(Livestream {
        run: past.text("run_id")?,
        invoked_at: Some(past.time("invoked_ms")?),
        started_at: past.time_or_null("started_ms")?,
        stopped_at: past.time_or_null("stopped_ms")?,
        updated_at: past.time("updated_ms")?,
        ingest_ms: past.count("ingest_ms")?,
        viewer_ms: past.count("viewer_ms")?,
        error: past.text_or_null("error")?,
        ..livestream.clone()
    })
}

fn read(row: &Row) -> Result<Livestream> {
    let stopped_by = row.json_or_null("stopped_by")?.map(|why| decode_recording_end(&why).ok_or(Error::column("stopped_by")));
    let (meeting, created_at): (Option<MeetingId>, _) = (row.id_or_null("meeting_id")?, row.time("created_ms")?);
    // Those of meetings were asked for with it; an earlier version does not say so.
    let invoked_at = row.time_or_null("invoked_ms")?.or(meeting.as_ref().map(|_| created_at));
    Ok(Livestream {
        id: row.id("id")?,
        app: row.id("app_id")?,
        meeting,
        session: row.id_or_null("session_id")?,
        run: row.text("run_id")?,
        invoked_at,
        name: row.text_or_null("name")?,
        secret: row.text("secret")?,
        status: STATUSES.value(&row.text("status")?).ok_or(Error::column("status"))?,
        config: row.json("config")?,
        created_at,
        started_at: row.time_or_null("started_ms")?,
        stopped_at: row.time_or_null("stopped_ms")?,
        updated_at: row.time("updated_ms")?,
        ingest_ms: row.count("ingest_ms")?,
        viewer_ms: row.count("viewer_ms")?,
        started_by: decode_recorded_by(&row.json("started_by")?).ok_or(Error::column("started_by"))?,
        stopped_by: stopped_by.transpose()?,
        error: row.text_or_null("error")?,
        is_kept: row.flag("kept")?,
        expires_at: row.time_or_null("expires_ms")?,
        node: row.text("node")?,
        version: row.count("version")?,
        key: row.text_or_null("stream_key")?,
        is_disabled: row.flag("disabled")?,
    })
}
