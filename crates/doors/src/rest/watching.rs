//! Watching: streams of what happens, for whoever asks about a meeting or an app.
//! Owns the meetings that are watched on this node, and the seats of those who watch.
//! Invariant: a meeting that is watched has one feed here, whoever watches it; one that nobody watches has none.
//! Next: `watching/feed.rs`, one meeting; `docs/watching.md`.

mod audience;
mod board;
mod feed;
mod fold;
mod frame;
mod seats;
mod sources;
mod watched;
mod watcher;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response};
use salon_core::{AppId, MeetingId, SessionId};
use salon_quality::Quality;
use salon_store::Store;
use tokio::sync::{Semaphore, broadcast};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::query::Asked;
use crate::rest::sessions;
use crate::rest::settings::Watchers;
use crate::rest::watching::board::Board;
use crate::rest::watching::feed::{Feed, Joined, NotNow, none};
use crate::rest::watching::fold::Fold;
use crate::rest::watching::frame::{Cursor, Frame, RETRY};
use crate::rest::watching::seats::{Seat, Seats};
use crate::rest::watching::sources::Sources;
use crate::rest::watching::watched::Watched;
use crate::rest::watching::watcher::{Guard, Watcher};

/// Events that a client may be behind and still be told each of them; beyond it is told what came of them.
const BEHIND_AT_MOST: u64 = 2_000;

/// Records that are read at once for those who come back late. More is faster and leaves the store less time for others.
const READ_AT_ONCE: usize = 4;

/// How long a session that cannot be told just now is waited for.
const WITHIN: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Everything that is watched on this node.
#[derive(Clone)]
pub struct Watching(Arc<Inner>);

struct Inner {
    sources: Sources,
    keys: Keys,
    feeds: Watched<MeetingId, Feed>,
    boards: Watched<AppId, Board>,
    seats: Seats,
    reading: Semaphore,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// How somebody begins to watch a meeting.
struct Opening {
    said: Vec<Bytes>,
    /// What follows; none if that was all.
    news: Option<broadcast::Receiver<Frame>>,
    feed: Arc<Feed>,
}

impl Watching {
    pub fn new(
        (store, teller, quality, keys): (Store, Teller, Quality, Keys),
        (most, metrics): (Watchers, Arc<Metrics>),
        (tasks, stop): (TaskTracker, CancellationToken),
    ) -> Self {
        Self(Arc::new(Inner {
            sources: Sources { store, teller, quality },
            keys,
            feeds: Watched::default(),
            boards: Watched::default(),
            seats: Seats::new(most, metrics),
            reading: Semaphore::new(READ_AT_ONCE),
            tasks,
            stop,
        }))
    }

    /// The answer to somebody who watches the people of a meeting, from a cursor on; with `wait` also while nobody is in.
    pub async fn people(
        &self,
        caller: &Caller,
        meeting: &MeetingId,
        cursor: Option<Cursor>,
        wait: bool,
    ) -> Result<Response<Body>, ApiError> {
        let seat = self.0.seats.take(&[meeting.as_str()], &caller.account, caller.key)?;
        self.allow(caller, meeting).await?;
        let Opening { said, news, feed } = self.open(caller, meeting, cursor, wait).await?;
        let backlog = [RETRY].into_iter().chain(said).collect();
        let guard = self.guard(caller, seat);
        Ok(Watcher { backlog, news, stays: wait, also: None, guard, _kept: feed }.answer())
    }

    /// How somebody begins to watch a meeting of theirs.
    async fn open(
        &self,
        caller: &Caller,
        meeting: &MeetingId,
        mut cursor: Option<Cursor>,
        wait: bool,
    ) -> Result<Opening, ApiError> {
        // What another node has is watched there.
        sessions::bring(&self.0.sources.teller, meeting).await?;
        let feed = self.feed(meeting);
        if !feed.audience.is_served(WITHIN).await {
            return Err(ApiError::unavailable("The live state cannot be told right now; try again"));
        }
        let mut said = Vec::new();
        let until = Instant::now() + WITHIN;
        let joined = loop {
            if let Some(of) = cursor.take_if(|cursor| !feed.follows(&cursor.session)) {
                match self.rest(caller, meeting, &of).await? {
                    Some(rest) => said.extend(rest),
                    // It has begun, or come here, a moment ago.
                    None if Instant::now() < until => {
                        cursor = Some(of);
                        sleep(AGAIN_AFTER).await;
                        continue;
                    }
                    None => return Err(salon_live::Unavailable.into()),
                }
            }
            match feed.join(cursor.as_ref(), BEHIND_AT_MOST) {
                Ok(joined) => break joined,
                Err(NotNow::IsAnother) => {}
                Err(NotNow::Unavailable(error)) if Instant::now() >= until => return Err(error),
                Err(NotNow::Unavailable(_)) => sleep(AGAIN_AFTER).await,
            }
        };
        let Joined { frames, news, gap, is_live } = joined;
        if !is_live && !wait && said.is_empty() {
            return Err(ApiError::no_active_session(meeting));
        }
        if let Some((session, after, until)) = gap {
            said.extend(self.replay(&session, after, until).await?);
        }
        said.extend(frames);
        if !is_live && wait {
            said.push(none().text);
        }
        Ok(Opening { said, news: (is_live || wait).then_some(news), feed })
    }

    /// The answer to somebody who watches the live sessions of an app, and the people of one of them as well, from a cursor on.
    pub async fn sessions(
        &self,
        caller: &Caller,
        also: Option<&SessionId>,
        cursor: Option<Cursor>,
    ) -> Result<Response<Body>, ApiError> {
        let row = match also {
            Some(session) => Some(sessions::find(&self.0.sources.store, caller, session).await?),
            None => None,
        };
        let meeting = row.as_ref().map(|row| &row.summary.meeting);
        let watched: Vec<&str> = [caller.app.as_str()].into_iter().chain(meeting.map(MeetingId::as_str)).collect();
        let seat = self.0.seats.take(&watched, &caller.account, caller.key)?;
        let (mut first, mut also, mut feed) = (Vec::new(), None, None);
        match row.map(|row| row.summary) {
            None => {}
            Some(over) if over.ended_at.is_some() => {
                let of = cursor.filter(|cursor| cursor.session == over.session);
                let of = of.ok_or_else(|| ApiError::not_found(format!("The session {} is over", over.session)))?;
                first = self.rest(caller, &over.meeting, &of).await?.unwrap_or_default();
            }
            Some(live) => {
                let cursor = cursor.filter(|cursor| cursor.session == live.session);
                let opening = self.open(caller, &live.meeting, cursor, false).await?;
                (first, also, feed) = (opening.said, opening.news, Some(opening.feed));
            }
        }
        let board = self.board(&caller.app);
        if !board.audience.is_served(WITHIN).await {
            return Err(ApiError::unavailable("The live state cannot be told right now; try again"));
        }
        let (said, news) = board.join();
        let backlog = [RETRY].into_iter().chain(first).chain(said).collect();
        let guard = self.guard(caller, seat);
        Ok(Watcher { backlog, news: Some(news), stays: true, also, guard, _kept: (board, feed) }.answer())
    }

    fn guard(&self, caller: &Caller, seat: Seat) -> Guard {
        Guard {
            keys: self.0.keys.clone(),
            key: caller.key,
            app: caller.app.clone(),
            clock: self.0.sources.teller.clock.clone(),
            stop: self.0.stop.clone(),
            _seat: seat,
        }
    }

    /// Whether it is a meeting of the caller's app.
    pub async fn allow(&self, caller: &Caller, meeting: &MeetingId) -> Result<(), ApiError> {
        let Sources { store, teller, .. } = &self.0.sources;
        let is_theirs = match teller.hub.summary(meeting.as_str(), teller.clock.now()) {
            Ok(Some(live)) => *live.app() == caller.app,
            _ if store.meeting(&caller.app, meeting).await?.is_some() => true,
            // A meeting that was deleted may have people in it for a while.
            _ => store.live_session_of(meeting).await?.is_some_and(|row| row.summary.app == caller.app),
        };
        is_theirs.then_some(()).ok_or_else(|| ApiError::no_active_session(meeting))
    }

    /// The feed of a meeting, begun if need be.
    fn feed(&self, meeting: &MeetingId) -> Arc<Feed> {
        let make = || Feed::new(meeting.clone(), self.0.sources.clone());
        self.0.feeds.get(meeting.clone(), make, |feed| {
            let (watching, meeting) = (self.clone(), meeting.clone());
            self.begin(feed.follow(move |feed| watching.0.feeds.forget(&meeting, feed)));
        })
    }

    /// The board of an app, begun if need be.
    fn board(&self, app: &AppId) -> Arc<Board> {
        let make = || Board::new(app.clone(), self.0.sources.clone());
        self.0.boards.get(app.clone(), make, |board| {
            let (watching, app) = (self.clone(), app.clone());
            self.begin(board.follow(move |board| watching.0.boards.forget(&app, board)));
        })
    }

    /// Runs until it ends, or the node stops.
    fn begin(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.0.stop.clone();
        self.0.tasks.spawn(async move {
            stop.run_until_cancelled(task).await;
        });
    }

    /// What was still to be told of a session that is over; nothing if there is too much of it, or no such session. None of
    /// one that is live.
    async fn rest(&self, caller: &Caller, meeting: &MeetingId, of: &Cursor) -> Result<Option<Vec<Bytes>>, ApiError> {
        let row = self.0.sources.store.session_row(&caller.app, &of.session).await?;
        let Some(row) = row.filter(|row| row.summary.meeting == *meeting) else { return Ok(Some(Vec::new())) };
        if row.summary.ended_at.is_none() {
            return Ok(None);
        }
        match row.summary.seq.saturating_sub(of.seq) {
            1..=BEHIND_AT_MOST => self.replay(&of.session, of.seq, row.summary.seq).await.map(Some),
            _ => Ok(Some(Vec::new())),
        }
    }

    /// What is told of the events after one, up to another.
    async fn replay(&self, session: &SessionId, after: u64, until: u64) -> Result<Vec<Bytes>, ApiError> {
        let _turn = self.0.reading.acquire().await.map_err(|_| salon_live::Unavailable)?;
        let read = Fold::read(&self.0.sources.store, session, until, after).await?;
        let frames = read.map(|(_, frames)| frames).unwrap_or_default();
        Ok(frames.into_iter().map(|frame| frame.text).collect())
    }
}

/// Where somebody who comes back goes on.
pub fn cursor(asked: &Asked, headers: &HeaderMap) -> Result<Option<Cursor>, ApiError> {
    let after = asked
        .text("after")?
        .map(|text| Cursor::read(text).ok_or_else(|| ApiError::invalid("after", "must be the id of an event")));
    // A client that comes back by itself does so to the address it was first given.
    let last = headers.get("last-event-id").and_then(|id| Cursor::read(id.to_str().ok()?));
    Ok(last.or(after.transpose()?))
}
