//! Sessions as they are read: the row that sums one up, and the events that are its record.
//! Invariant: events come back in order and without a gap, or as `Corrupt`.
//! They are written by `writer.rs`. Next: `record.rs`, how an event is kept.

use std::ops::ControlFlow;

use salon_core::{AppId, Event, MeetingId, Record, SessionId, Summary, Timestamp};

use crate::Store;
use crate::day_sums::{DAY_MS, day_of};
use crate::engine::{Arg, Db, Row, args, built};
use crate::error::{Corrupt, Error, Result};
use crate::list::{Filter, Listing, MAX_PAGE, Page};
use crate::ownership::owner_seen;
use crate::record;
use crate::run_id::RunId;

/// Most events one call of [`Store::events`] returns: what a page of reading holds in memory.
pub const MAX_EVENTS: u32 = 1000;

/// A session as of its last event, and who hosts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    pub summary: Summary,
    pub owner_node: String,
    pub owner_run: RunId,
    /// Where other nodes reach the owner, as HOST:PORT.
    pub owner_address: Option<String>,
    pub epoch: i64,
    /// When the owning run was last known to be alive.
    pub owner_seen_at: Timestamp,
}

/// What sessions are listed by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SessionSort {
    #[default]
    CreatedAt,
    MinutesConsumed,
}

/// Which sessions of an app to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Searched by meeting title, meeting id and session id. `newest_first` also puts the most minutes first.
    pub page: Page,
    pub sort: SessionSort,
    pub live: Option<bool>,
    pub meeting: Option<MeetingId>,
    /// Made at this moment or later.
    pub from: Option<Timestamp>,
    /// Made at this moment or earlier.
    pub to: Option<Timestamp>,
    /// At least so many participants ever.
    pub participants_min: Option<u32>,
    /// At most so many participants ever.
    pub participants_max: Option<u32>,
    /// The moment up to which the minutes of live sessions count when they are sorted by them.
    pub now: Timestamp,
}

/// Which live sessions of an app to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveFilter {
    /// Searched by meeting title, meeting id and session id.
    pub search: Option<String>,
    pub meeting: Option<MeetingId>,
    /// Only those that a run of this node owns.
    pub node: Option<String>,
    /// Only those with so many live participants.
    pub people_min: Option<u32>,
}

impl LiveFilter {
    /// The live sessions of an app that are meant.
    fn of(&self, app: &AppId) -> Filter {
        let mut sessions = Filter::new("s.app_id = ?", app);
        sessions.and_fixed("s.ended_ms is null");
        if let Some(meeting) = &self.meeting {
            sessions.and("s.meeting_id = ?", meeting);
        }
        if let Some(node) = &self.node {
            sessions.and("s.owner_node = ?", node);
        }
        if let Some(min) = self.people_min {
            sessions.and("s.live >= ?", min);
        }
        sessions.and_search("s.search_text", self.search.as_deref());
        sessions
    }
}

pub(crate) const TABLES: &str = "sessions s left join nodes n on n.name = s.owner_node";

/// Participant-milliseconds up to `?`, as `Summary::consumed_ms` has it.
const CONSUMED: &str = "s.settled_ms + case when s.live * ? > s.live_since_ms then s.live * ? - s.live_since_ms else 0 end";

impl Store {
    pub async fn session_row(&self, app: &AppId, id: &SessionId) -> Result<Option<SessionRow>> {
        let sql = format!("select {} from {TABLES} where s.app_id = $1 and s.id = $2", columns(&self.db));
        self.db.one(built(sql), args![app, id]).await?.as_ref().map(read_session).transpose()
    }

    /// When a session began.
    pub async fn session_began(&self, id: &SessionId) -> Result<Option<Timestamp>> {
        let row = self.db.one("select started_ms from sessions where id = $1", args![id]).await?;
        row.map(|row| row.time("started_ms")).transpose()
    }

    pub async fn live_session_of(&self, meeting: &MeetingId) -> Result<Option<SessionRow>> {
        let sql = format!("select {} from {TABLES} where s.meeting_id = $1 and s.ended_ms is null", columns(&self.db));
        self.db.one(built(sql), args![meeting]).await?.as_ref().map(read_session).transpose()
    }

    /// The session of this meeting that ended last.
    pub async fn last_ended_session_of(&self, meeting: &MeetingId) -> Result<Option<SessionId>> {
        let sql =
            "select id from sessions where meeting_id = $1 and ended_ms is not null order by created_ms desc, id desc limit 1";
        self.db.one(sql, args![meeting]).await?.as_ref().map(|row| row.id("id")).transpose()
    }

    /// The sessions of an app, searched by meeting title, meeting id and session id.
    pub async fn sessions(&self, app: &AppId, filter: &SessionFilter) -> Result<Listing<SessionRow>> {
        let page = &filter.page;
        let mut sessions = Filter::new("s.app_id = ?", app);
        match filter.live {
            Some(true) => sessions.and_fixed("s.ended_ms is null"),
            Some(false) => sessions.and_fixed("s.ended_ms is not null"),
            None => {}
        }
        if let Some(meeting) = &filter.meeting {
            sessions.and("s.meeting_id = ?", meeting);
        }
        sessions.and_between("s.created_ms", filter.from, filter.to);
        if let Some(min) = filter.participants_min {
            sessions.and("s.participants >= ?", min);
        }
        if let Some(max) = filter.participants_max {
            sessions.and("s.participants <= ?", max);
        }
        sessions.and_search("s.search_text", page.search.as_deref());
        let direction = if page.newest_first { " desc" } else { "" };
        let (order, order_value) = match filter.sort {
            SessionSort::CreatedAt => (format!("s.created_ms{direction}, s.id{direction}"), None),
            SessionSort::MinutesConsumed => (format!("{CONSUMED}{direction}, s.id{direction}"), Some(Arg::from(filter.now))),
        };
        let total = match self.count_by_days(app, filter).await? {
            Some(total) => total,
            None => sessions.count(&self.db, "sessions s").await?,
        };
        sessions.part(&self.db, (&columns(&self.db), TABLES), (&order, order_value), (page, total), read_session).await
    }

    /// How many sessions there are if only time and whether they are live narrow the list down, without counting them one by
    /// one: those that ended on whole days are known, live ones have an index. `None` if something else does.
    async fn count_by_days(&self, app: &AppId, filter: &SessionFilter) -> Result<Option<u64>> {
        let SessionFilter { page, live, meeting, from, to, participants_min, participants_max, .. } = filter;
        let search = page.search.as_deref().is_some_and(|search| !search.is_empty());
        if search || meeting.is_some() || participants_min.is_some() || participants_max.is_some() {
            return Ok(None);
        }
        let count = async |ended: &str, from: Option<Timestamp>, to: Option<Timestamp>| {
            let mut some = Filter::new("s.app_id = ?", app);
            some.and_fixed(ended);
            some.and_between("s.created_ms", from, to);
            some.count(&self.db, "sessions s").await
        };
        let mut total = 0;
        if *live != Some(true) {
            // Whole days lie from the first on that begins in the span to the last that ends in it.
            let first = from.map_or(i64::MIN, |from| day_of(from.plus_ms(DAY_MS - 1)));
            let last = to.map_or(i64::MAX, |to| day_of(to.plus_ms(1)).saturating_sub(1));
            let ended = "s.ended_ms is not null";
            if first <= last {
                total += self.session_days(app, first, last).await?.iter().map(|day| day.listed).sum::<u64>();
                let begin = |day: i64| Timestamp(day * DAY_MS);
                if let Some(from) = from.filter(|from| *from < begin(first)) {
                    total += count(ended, Some(from), Some(begin(first).plus_ms(-1))).await?;
                }
                if let Some(to) = to.filter(|to| *to >= begin(last + 1)) {
                    total += count(ended, Some(begin(last + 1)), Some(to)).await?;
                }
            } else {
                total += count(ended, *from, *to).await?;
            }
        }
        if *live != Some(false) {
            total += count("s.ended_ms is null", *from, *to).await?;
        }
        Ok(Some(total))
    }

    /// All live sessions of an app, newest first, read page by page.
    pub async fn all_live_sessions(&self, app: &AppId, filter: &LiveFilter) -> Result<Vec<SessionRow>> {
        let mut live: Vec<SessionRow> = Vec::new();
        loop {
            let after = live.last().map(|row| (row.summary.created_at, row.summary.session.clone()));
            let part = self.live_sessions(app, filter, after, MAX_PAGE).await?;
            let is_last = part.len() < MAX_PAGE as usize;
            live.extend(part);
            if is_last {
                return Ok(live);
            }
        }
    }

    /// The live sessions of an app, newest first: at most `limit` and at most a page, those after the one that was made then
    /// and has this id.
    pub async fn live_sessions(
        &self,
        app: &AppId,
        filter: &LiveFilter,
        after: Option<(Timestamp, SessionId)>,
        limit: u32,
    ) -> Result<Vec<SessionRow>> {
        let mut sessions = filter.of(app);
        if let Some((created_at, id)) = &after {
            sessions.and_before(*created_at, id);
        }
        let order = "s.created_ms desc, s.id desc";
        sessions.first(&self.db, (&columns(&self.db), TABLES), order, limit, read_session).await
    }

    /// How many live sessions an app has. Those that are over cost nothing: live ones have an index of their own.
    pub async fn count_live_sessions(&self, app: &AppId, filter: &LiveFilter) -> Result<u64> {
        filter.of(app).count(&self.db, "sessions s").await
    }

    /// The events after `after_seq`, in order, at most `limit` and at most [`MAX_EVENTS`].
    pub async fn events(&self, session: &SessionId, after_seq: u64, limit: u32) -> Result<Vec<Event>> {
        let sql = "select seq, at_ms, kind, body from session_events where session_id = $1 and seq > $2 \
                   order by seq limit $3";
        let rows = self.db.all(sql, args![session, after_seq, limit.min(MAX_EVENTS)]).await?;
        let expected = (1..).map(|offset| after_seq.saturating_add(offset));
        rows.iter().zip(expected).map(|(row, seq)| read_event(session, seq, row)).collect()
    }

    /// Shows each event of a session from the first on, until `look` has seen enough or fails.
    pub async fn each_event(
        &self,
        session: &SessionId,
        mut look: impl FnMut(Event) -> Result<ControlFlow<()>> + Send,
    ) -> Result<()> {
        let mut after = 0;
        loop {
            let events = self.events(session, after, MAX_EVENTS).await?;
            let is_last = events.len() < MAX_EVENTS as usize;
            for event in events {
                after = event.seq;
                if look(event)?.is_break() {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Folds a session's whole record; `None` if there is no such session.
    pub async fn record(&self, session: &SessionId) -> Result<Option<Record>> {
        self.record_while(session, |_| true).await
    }

    /// Folds a session's record up to the first event that is not wanted; `None` if that is the first of all, or there is no
    /// such session.
    pub async fn record_while(
        &self,
        session: &SessionId,
        mut wanted: impl FnMut(&Event) -> bool + Send,
    ) -> Result<Option<Record>> {
        let mut record = None;
        let look = |event: Event| {
            if !wanted(&event) {
                return Ok(ControlFlow::Break(()));
            }
            fold(&mut record, session, &event)?;
            Ok(ControlFlow::Continue(()))
        };
        self.each_event(session, look).await?;
        Ok(record)
    }
}

/// Folds an event into a record, which the first one begins.
pub(crate) fn fold<'r>(record: &'r mut Option<Record>, session: &SessionId, event: &Event) -> Result<&'r Record> {
    match record {
        Some(record) => record.apply(event),
        None => {
            let corrupt = Corrupt::Event { session: session.clone(), seq: event.seq };
            *record = Some(Record::begin(event).ok_or(Error::Corrupt(corrupt))?);
        }
    }
    record.as_ref().ok_or(Error::NotFound)
}

pub(crate) fn read_event(session: &SessionId, seq: u64, row: &Row) -> Result<Event> {
    let corrupt = || Error::Corrupt(Corrupt::Event { session: session.clone(), seq });
    if row.count::<u64>("seq")? != seq {
        return Err(corrupt());
    }
    let body = record::decode(&row.text("kind")?, &row.text("body")?).ok_or_else(corrupt)?;
    Ok(Event { seq, at: row.time("at_ms")?, body })
}

pub(crate) fn columns(db: &Db) -> String {
    format!(
        "s.id, s.app_id, s.meeting_id, s.parent_session_id, s.title, s.keep_alive_ms, s.started_ms, s.created_ms, s.updated_ms, \
         s.ended_ms, s.live, s.max_concurrent, s.participants, s.settled_ms, s.live_since_ms, s.owner_node, \
         s.owner_run, s.epoch, s.last_seq, n.address as owner_address, {} as owner_seen_ms",
        owner_seen(db)
    )
}

pub(crate) fn read_session(row: &Row) -> Result<SessionRow> {
    let summary = Summary {
        session: row.id("id")?,
        meeting: row.id("meeting_id")?,
        app: row.id("app_id")?,
        parent_session: row.id_or_null("parent_session_id")?,
        title: row.text("title")?,
        seq: row.count("last_seq")?,
        keep_alive_ms: row.int("keep_alive_ms")?,
        started_at: row.time("started_ms")?,
        created_at: row.time("created_ms")?,
        updated_at: row.time("updated_ms")?,
        ended_at: row.time_or_null("ended_ms")?,
        live: row.count("live")?,
        max_concurrent: row.count("max_concurrent")?,
        participants: row.count("participants")?,
        settled_ms: row.int("settled_ms")?,
        live_since_ms: row.int("live_since_ms")?,
    };
    Ok(SessionRow {
        summary,
        owner_node: row.text("owner_node")?,
        owner_run: row.id("owner_run")?,
        owner_address: row.text_or_null("owner_address")?,
        epoch: row.int("epoch")?,
        owner_seen_at: row.time("owner_seen_ms")?,
    })
}
