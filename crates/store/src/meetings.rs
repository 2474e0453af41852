//! Meetings: the lasting places, and what is set for each of them.
//! Invariant: every question names the app, except `meeting_of`, which a participant's token asks.
//! Only connected meetings are ever deleted, see `connected.rs`. Next: `participants.rs`.

use salon_core::{AppId, MeetingId, Timestamp};
use serde_json::Value;

use crate::Store;
use crate::edits::{Loaded, edit};
use crate::engine::{Arg, Row, args, built};
use crate::error::{Error, Result, Rule};
use crate::list::{Filter, Listing, Page, by_creation, search_text};
use crate::transact::run;

#[derive(Debug, Clone, PartialEq)]
pub struct Meeting {
    pub id: MeetingId,
    pub app: AppId,
    /// Of a connected meeting: the one it was made in.
    pub parent: Option<MeetingId>,
    pub title: Option<String>,
    /// An inactive meeting lets nobody in.
    pub active: bool,
    pub record_on_start: bool,
    pub live_stream_on_start: bool,
    pub persist_chat: bool,
    pub transcribe_on_end: bool,
    pub summarize_on_end: bool,
    pub keep_alive_secs: i64,
    pub recording_config: Option<Value>,
    pub ai_config: Option<Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// A deleted one is there for its past only, and lets nobody in.
    pub deleted_at: Option<Timestamp>,
}

impl Meeting {
    /// An active one of which nothing was said yet; its keep-alive time has to be.
    pub fn blank(id: MeetingId, app: AppId, at: Timestamp) -> Self {
        Self {
            id,
            app,
            parent: None,
            title: None,
            active: true,
            record_on_start: false,
            live_stream_on_start: false,
            persist_chat: false,
            transcribe_on_end: false,
            summarize_on_end: false,
            keep_alive_secs: 0,
            recording_config: None,
            ai_config: None,
            created_at: at,
            updated_at: at,
            deleted_at: None,
        }
    }
}

/// Which meetings of an app to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MeetingFilter {
    /// Searched by id and title.
    pub page: Page,
    pub active: Option<bool>,
    /// Made at this moment or later.
    pub from: Option<Timestamp>,
    /// Made at this moment or earlier.
    pub to: Option<Timestamp>,
}

pub(crate) const COLUMNS: &str = "id, app_id, parent_id, title, active, record_on_start, live_stream_on_start, persist_chat, \
     transcribe_on_end, summarize_on_end, keep_alive_secs, recording_config, ai_config, created_ms, updated_ms, deleted_ms";

impl Store {
    /// Stores a new meeting. `NotFound` if there is no such app, `Conflict(IdTaken)` if the id exists.
    pub async fn create_meeting(&self, meeting: &Meeting) -> Result<()> {
        match run(&self.db, INSERT, insert_args(meeting)).await {
            Ok(0) => Err(Error::Conflict(Rule::IdTaken)),
            Ok(_) => Ok(()),
            Err(err) if err.is_foreign_key() => Err(Error::NotFound),
            Err(err) => Err(err),
        }
    }

    pub async fn meeting(&self, app: &AppId, id: &MeetingId) -> Result<Option<Meeting>> {
        Ok(self.meeting_of(id).await?.filter(|meeting| meeting.app == *app && meeting.deleted_at.is_none()))
    }

    /// The meeting of this id in whichever app it is, deleted or not.
    pub async fn meeting_of(&self, id: &MeetingId) -> Result<Option<Meeting>> {
        let sql = format!("select {COLUMNS} from meetings where id = $1");
        self.db.one(built(sql), args![id]).await?.as_ref().map(read_meeting).transpose()
    }

    /// The meetings of an app but for connected ones, searched by id and title.
    pub async fn meetings(&self, app: &AppId, filter: &MeetingFilter) -> Result<Listing<Meeting>> {
        let page = &filter.page;
        let mut meetings = Filter::new("app_id = ?", app);
        meetings.and_fixed("parent_id is null");
        if let Some(active) = filter.active {
            meetings.and("active = ?", active);
        }
        meetings.and_between("created_ms", filter.from, filter.to);
        meetings.and_search("search_text", page.search.as_deref());
        meetings.list(&self.db, (COLUMNS, "meetings"), by_creation(page), page, read_meeting).await
    }

    /// Makes of a meeting what `change` makes of it, but for id, app, parent and `created_at`. `change` may be asked
    /// several times. `NotFound` if there is none, `Conflict(ChangedMeanwhile)` if too many change it at once.
    pub async fn edit_meeting<E: From<Error>>(
        &self,
        app: &AppId,
        id: &MeetingId,
        change: impl FnMut(Meeting) -> std::result::Result<Meeting, E>,
    ) -> std::result::Result<Meeting, E> {
        let load = || async move {
            let sql = format!("select {COLUMNS}, version from meetings where app_id = $1 and id = $2 and deleted_ms is null");
            let row = self.db.one(built(sql), args![app, id]).await?;
            row.map(|row| Ok(Loaded { row: read_meeting(&row)?, version: row.int("version")? })).transpose()
        };
        edit(load, change, |changed, version| self.put_meeting(changed, version)).await
    }

    async fn put_meeting(&self, meeting: Meeting, version: i64) -> Result<Option<Meeting>> {
        let sql = "update meetings set title = $3, active = $4, record_on_start = $5, live_stream_on_start = $6, \
                   persist_chat = $7, transcribe_on_end = $8, summarize_on_end = $9, keep_alive_secs = $10, \
                   recording_config = $11, ai_config = $12, search_text = $13, updated_ms = $14, version = version + 1 \
                   where app_id = $1 and id = $2 and deleted_ms is null and version = $15";
        let row = args![
            &meeting.app,
            &meeting.id,
            &meeting.title,
            meeting.active,
            meeting.record_on_start,
            meeting.live_stream_on_start,
            meeting.persist_chat,
            meeting.transcribe_on_end,
            meeting.summarize_on_end,
            meeting.keep_alive_secs,
            &meeting.recording_config,
            &meeting.ai_config,
            &found_by(&meeting),
            meeting.updated_at,
            version,
        ];
        Ok((run(&self.db, sql, row).await? > 0).then_some(meeting))
    }
}

pub(crate) const INSERT: &str = "insert into meetings (id, app_id, parent_id, title, active, record_on_start, \
     live_stream_on_start, persist_chat, transcribe_on_end, summarize_on_end, keep_alive_secs, recording_config, ai_config, \
     search_text, created_ms, updated_ms) \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) on conflict do nothing";

pub(crate) fn insert_args(meeting: &Meeting) -> Vec<Arg> {
    args![
        &meeting.id,
        &meeting.app,
        &meeting.parent,
        &meeting.title,
        meeting.active,
        meeting.record_on_start,
        meeting.live_stream_on_start,
        meeting.persist_chat,
        meeting.transcribe_on_end,
        meeting.summarize_on_end,
        meeting.keep_alive_secs,
        &meeting.recording_config,
        &meeting.ai_config,
        &found_by(meeting),
        meeting.created_at,
        meeting.updated_at,
    ]
}

fn found_by(meeting: &Meeting) -> String {
    search_text(&[meeting.id.as_str(), meeting.title.as_deref().unwrap_or_default()])
}

pub(crate) fn read_meeting(row: &Row) -> Result<Meeting> {
    Ok(Meeting {
        id: row.id("id")?,
        app: row.id("app_id")?,
        parent: row.id_or_null("parent_id")?,
        title: row.text_or_null("title")?,
        active: row.flag("active")?,
        record_on_start: row.flag("record_on_start")?,
        live_stream_on_start: row.flag("live_stream_on_start")?,
        persist_chat: row.flag("persist_chat")?,
        transcribe_on_end: row.flag("transcribe_on_end")?,
        summarize_on_end: row.flag("summarize_on_end")?,
        keep_alive_secs: row.int("keep_alive_secs")?,
        recording_config: row.json_or_null("recording_config")?,
        ai_config: row.json_or_null("ai_config")?,
        created_at: row.time("created_ms")?,
        updated_at: row.time("updated_ms")?,
        deleted_at: row.time_or_null("deleted_ms")?,
    })
}
