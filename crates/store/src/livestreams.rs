//! Livestreams of meetings: how each stands, and what was watched of it.
//! Invariant: a change of the status and what webhooks are told of it are one transaction; sums that were told never fall.
//! What happened in the session is in its record; this outlives it.

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

/// One livestream of a meeting. Its secret lets whoever knows it watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Livestream {
    pub id: RecordingId,
    pub app: AppId,
    pub meeting: MeetingId,
    pub session: SessionId,
    /// What the API calls the livestream's session.
    pub run: String,
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
}

/// Which livestreams to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LivestreamFilter {
    pub page: Page,
    pub meeting: Option<MeetingId>,
    pub session: Option<SessionId>,
    pub status: Option<LivestreamStatus>,
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
     stopped_ms, updated_ms, ingest_ms, viewer_ms, started_by, stopped_by, error, kept, expires_ms, node, version";

impl Livestream {
    /// Whether it goes on.
    pub fn is_active(&self) -> bool {
        matches!(self.status, LivestreamStatus::Invoked | LivestreamStatus::Live)
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
            let places: Vec<_> = (1..=22).map(|place| format!("${place}")).collect();
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
            if is_news {
                (after.version, after.updated_at) = (before.version + 1, now);
            }
            let sql = "update livestreams set app_id = $2, meeting_id = $3, session_id = $4, run_id = $5, name = $6, secret = $7, \
                       status = $8, config = $9, created_ms = $10, started_ms = $11, stopped_ms = $12, updated_ms = $13, \
                       ingest_ms = $14, viewer_ms = $15, started_by = $16, stopped_by = $17, error = $18, kept = $19, \
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

    /// The livestream of this id, whosever it is.
    pub async fn livestream(&self, id: &RecordingId) -> Result<Option<Livestream>> {
        let sql = format!("select {COLUMNS} from livestreams where id = $1");
        self.db.one(built(sql), args![id]).await?.as_ref().map(read).transpose()
    }

    /// The one whose session has this id.
    pub async fn livestream_of_run(&self, run: &str) -> Result<Option<Livestream>> {
        let sql = format!("select {COLUMNS} from livestreams where run_id = $1");
        self.db.one(built(sql), args![run]).await?.as_ref().map(read).transpose()
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
                   and not exists (select 1 from sessions s where s.id = livestreams.session_id)";
        self.db.run(sql, args![false]).await
    }

    /// The livestreams of an app that were asked for in this time, by day.
    pub async fn livestream_days(&self, app: &AppId, from: Timestamp, to: Timestamp) -> Result<Vec<LivestreamDay>> {
        let sql = "select created_ms / 86400000 as day, count(*) as livestreams, cast(sum(ingest_ms) as bigint) as ingest_ms, \
                   cast(sum(viewer_ms) as bigint) as viewer_ms from livestreams \
                   where app_id = $1 and created_ms between $2 and $3 group by created_ms / 86400000 order by 1";
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
    let notice = Notice {
        session: livestream.session.clone(),
        meeting: livestream.meeting.clone(),
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
    ]
}

fn read(row: &Row) -> Result<Livestream> {
    let stopped_by = row.json_or_null("stopped_by")?.map(|why| decode_recording_end(&why).ok_or(Error::column("stopped_by")));
    Ok(Livestream {
        id: row.id("id")?,
        app: row.id("app_id")?,
        meeting: row.id("meeting_id")?,
        session: row.id("session_id")?,
        run: row.text("run_id")?,
        name: row.text_or_null("name")?,
        secret: row.text("secret")?,
        status: STATUSES.value(&row.text("status")?).ok_or(Error::column("status"))?,
        config: row.json("config")?,
        created_at: row.time("created_ms")?,
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
    })
}
