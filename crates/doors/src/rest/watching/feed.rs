//! One meeting that is watched: its live session's record, read on behind the session's task, wherever that runs.
//! Owns the fold, the last frames, and the channel on which all who watch hear the next ones.
//! Invariant: what is told is in the record, and not ahead of the live answer; who joins in hears what follows from there,
//! without a gap and nothing twice. Next: `fold.rs`, what is told; `watcher.rs`, one who hears it.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use salon_core::{MeetingId, PeerId, SessionId, Timestamp};
use salon_quality::Standing;
use salon_store::SessionRow;
use salon_wire::rest::people as wire;
use tokio::sync::broadcast;
use tokio::time::sleep;

use crate::people;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::watching::audience::{Audience, Vigil};
use crate::rest::watching::fold::{Fold, events};
use crate::rest::watching::frame::{Cursor, Frame, What, aside, numbered};
use crate::rest::watching::sources::Sources;

/// Frames of a session that are kept for those who come back, and that one who watches may be behind. A frame has some
/// 700 bytes, and 6 KB at most.
pub const KEPT: usize = 256;

/// How often a session that is here is looked at without news of it: who waits is in no event.
const LOOK_HERE_EVERY: Duration = Duration::from_secs(1);

/// How often one on another node is looked at.
const LOOK_THERE_EVERY: Duration = Duration::from_millis(500);

/// How often it is looked whether one has begun: in memory, and in a store that others write to as well.
const LOOK_FOR_EVERY: Duration = Duration::from_millis(250);
const LOOK_IN_STORE_EVERY: Duration = Duration::from_secs(1);

/// How soon to look again after that came to nothing.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// How often it is judged how good calls are, in milliseconds: they are looked at so often (`salon_quality`).
const JUDGE_EVERY_MS: i64 = 5_000;

/// How long somebody who waits in the session's inbox may take.
const ASK_WITHIN: Duration = Duration::from_secs(1);

/// A meeting that is watched.
pub struct Feed {
    meeting: MeetingId,
    sources: Sources,
    current: Mutex<Option<Current>>,
    pub audience: Audience,
}

/// The live session.
struct Current {
    fold: Fold,
    /// The last frames, the oldest first.
    kept: VecDeque<Frame>,
    /// On another node, as it was when last looked.
    elsewhere: Option<SessionRow>,
    waiting: Vec<wire::Waiting>,
    /// How good calls were when that was last judged.
    standings: Vec<(PeerId, Standing)>,
    judged_at: Timestamp,
}

/// How somebody begins to watch.
pub struct Joined {
    /// What comes before the news.
    pub frames: Vec<Bytes>,
    pub news: broadcast::Receiver<Frame>,
    /// What comes before the frames, and is in the store: events of a session after the first and up to the second number.
    pub gap: Option<(SessionId, u64, u64)>,
    pub is_live: bool,
}

/// Why nobody can begin to watch just now.
pub enum NotNow {
    /// The session of the cursor is not the live one.
    IsAnother,
    Unavailable(ApiError),
}

impl Feed {
    pub fn new(meeting: MeetingId, sources: Sources) -> Self {
        Self { meeting, sources, current: Mutex::default(), audience: Audience::new(KEPT) }
    }

    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The session that is followed, and up to which of its events.
    fn position(&self) -> Option<(SessionId, u64)> {
        self.current().as_ref().map(|current| (current.session().clone(), current.fold.read))
    }

    pub fn follows(&self, session: &SessionId) -> bool {
        self.current().as_ref().is_some_and(|current| current.session() == session)
    }

    /// Joins in after a cursor of the live session, or with a snapshot of it.
    pub fn join(&self, cursor: Option<&Cursor>, behind_at_most: u64) -> Result<Joined, NotNow> {
        let current = self.current();
        let news = self.audience.join();
        let Some(current) = current.as_ref() else {
            return match cursor {
                Some(_) => Err(NotNow::IsAnother),
                None => Ok(Joined { frames: Vec::new(), news, gap: None, is_live: false }),
            };
        };
        if let Some(cursor) = cursor {
            if cursor.session != *current.session() {
                return Err(NotNow::IsAnother);
            }
            let (first, last) = (current.kept.front().and_then(Frame::prev), current.fold.people.people_seq);
            // What is kept begins after this.
            let from = first.unwrap_or(last);
            let is_known = cursor.seq <= current.fold.read && current.fold.read - cursor.seq <= behind_at_most;
            if is_known {
                let after = |frame: &&Frame| frame.seq().is_some_and(|seq| seq > cursor.seq);
                let frames = current.kept.iter().filter(after).map(|frame| frame.text.clone()).collect();
                let gap = (cursor.seq < from).then(|| (cursor.session.clone(), cursor.seq, from));
                return Ok(Joined { frames, news, gap, is_live: true });
            }
        }
        let frames = vec![self.snapshot(current).map_err(NotNow::Unavailable)?];
        Ok(Joined { frames, news, gap: None, is_live: true })
    }

    /// Everyone who is in, as of the last event that was told.
    fn snapshot(&self, current: &Current) -> Result<Bytes, ApiError> {
        let Teller { hub, clock, .. } = &self.sources.teller;
        let record = &current.fold.people;
        let (at, minutes) = match &current.elsewhere {
            Some(row) => {
                let told = self.sources.teller.told(hub.elsewhere(row)?)?;
                (told.at(), record.summary().minutes_consumed(told.at()))
            }
            None => {
                let now = clock.now();
                let live = hub.summary(self.meeting.as_str(), now)?.filter(|live| live.session() == current.session());
                let live = live.ok_or(salon_live::Unavailable)?;
                let told = self.sources.teller.told(live.at(now))?;
                (told.at(), live.minutes(&record.summary(), &told))
            }
        };
        let is_here = current.elsewhere.is_none();
        let people = wire::People {
            waiting: is_here.then(|| current.waiting.clone()),
            quality: is_here.then(|| current.standings.iter().map(|(peer, it)| people::quality(peer, it)).collect()),
            elsewhere: (!is_here).then_some(true),
            reset: Some(true),
            ..people::people(record, at, minutes)
        };
        Ok(numbered("snapshot", current.session(), record.people_seq, &people))
    }

    /// Follows until nobody hears it any more: then `forget` is asked, and if it says so that is the end.
    pub async fn follow(self: Arc<Self>, forget: impl Fn(&Arc<Self>) -> bool) {
        let (mut news, mut vigil) = (None, Vigil::begin());
        loop {
            if news.is_none() {
                // Before looking, so that nothing comes between.
                news = self.sources.teller.hub.news(self.meeting.as_str());
            }
            let pause = match self.look().await {
                Ok(pause) => {
                    vigil.looked(&self.audience);
                    pause
                }
                Err(error) => {
                    tracing::debug!(meeting.id = %self.meeting, ?error, "cannot tell those who watch; trying again");
                    vigil.failed(&self.audience);
                    AGAIN_AFTER
                }
            };
            let heard = async {
                match &mut news {
                    Some(news) => news.changed().await.is_ok(),
                    None => pending().await,
                }
            };
            tokio::select! {
                goes_on = heard => if !goes_on { news = None },
                () = sleep(pause) => {}
            }
            if vigil.is_over(&self.audience) && forget(&self) {
                return;
            }
        }
    }

    /// Tells what has happened; answers with when to look again.
    async fn look(&self) -> Result<Duration, ApiError> {
        let Sources { store, teller, .. } = &self.sources;
        let now = teller.clock.now();
        let here = teller.hub.summary(self.meeting.as_str(), now)?;
        let elsewhere = match &here {
            None if store.is_shared() => store.live_session_of(&self.meeting).await?,
            _ => None,
        };
        let live = match (&here, &elsewhere) {
            (Some(here), _) => Some((here.session().clone(), here.seq())),
            (None, Some(row)) => Some((row.summary.session.clone(), row.summary.seq)),
            (None, None) => None,
        };
        let before = self.position();
        if let Some((session, read)) = before
            && live.as_ref().is_none_or(|(live, _)| *live != session)
        {
            // It is over, which is in its record.
            self.read_on(&session, read, u64::MAX).await?;
        }
        let Some((session, until)) = live else {
            return Ok(if store.is_shared() { LOOK_IN_STORE_EVERY } else { LOOK_FOR_EVERY });
        };
        let told = match &here {
            Some(here) => here.at(now),
            None => teller.hub.elsewhere(elsewhere.as_ref().ok_or(salon_live::Unavailable)?)?,
        };
        let is_here = here.is_some();
        match self.position() {
            None => self.begin(&session, until, elsewhere).await?,
            Some((known, read)) if known == session => {
                if let Some(current) = self.current().as_mut() {
                    current.elsewhere = elsewhere;
                }
                if read < until {
                    teller.told(told)?;
                    self.read_on(&session, read, until).await?;
                }
            }
            // Its end is not to be seen yet.
            Some(_) => return Ok(AGAIN_AFTER),
        }
        match is_here {
            true => {
                self.look_who_waits().await;
                self.judge(now);
                Ok(LOOK_HERE_EVERY)
            }
            false => Ok(LOOK_THERE_EVERY),
        }
    }

    /// A session has begun, or is found.
    async fn begin(&self, session: &SessionId, until: u64, elsewhere: Option<SessionRow>) -> Result<(), ApiError> {
        let told = until.saturating_sub(KEPT as u64);
        let read = Fold::read(&self.sources.store, session, until, told).await?;
        let (fold, frames) = read.ok_or_else(|| ApiError::internal(format_args!("session {session} has no record")))?;
        let new =
            Current { fold, kept: frames.into(), elsewhere, waiting: Vec::new(), standings: Vec::new(), judged_at: Timestamp(0) };
        let mut current = self.current();
        if self.audience.is_there() {
            let text = self.snapshot(&new)?;
            self.audience.tell(Frame { what: What::State, text });
        }
        *current = Some(new);
        Ok(())
    }

    /// Tells the events after one, up to another.
    async fn read_on(&self, session: &SessionId, mut read: u64, until: u64) -> Result<(), ApiError> {
        while read < until {
            let events = events(&self.sources.store, session, read, until).await?;
            let Some(last) = events.last() else { return Ok(()) };
            read = last.seq;
            let mut slot = self.current();
            let Some(current) = slot.as_mut() else { return Ok(()) };
            for event in &events {
                let Some(frame) = current.fold.take(event, true) else { continue };
                current.kept.push_back(frame.clone());
                if current.kept.len() > KEPT {
                    current.kept.pop_front();
                }
                self.audience.tell(frame);
            }
            if current.fold.people.ended.is_some() {
                *slot = None;
                self.audience.tell(none());
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells whose calls are better or worse than when last looked.
    fn judge(&self, now: Timestamp) {
        let mut current = self.current();
        let Some(current) = current.as_mut().filter(|current| now.since(current.judged_at) >= JUDGE_EVERY_MS) else { return };
        current.judged_at = now;
        let record = &current.fold.people;
        let (began, present) = (record.started.started_at, record.present().map(|peer| &peer.who.peer));
        let standings = self.sources.quality.standings((&record.started.session, began), now, present);
        let before = |peer: &PeerId| current.standings.iter().find(|(known, _)| known == peer).map(|(_, it)| it.words());
        let news = standings.iter().filter(|(peer, it)| before(peer).unwrap_or_default() != it.words());
        let quality: Vec<_> = news.map(|(peer, it)| people::quality(peer, it)).collect();
        current.standings = standings;
        if !quality.is_empty() {
            self.audience.tell(Frame { what: What::State, text: aside("quality", &wire::QualityNews { quality }) });
        }
    }

    /// Tells who waits to be let in, if that is news.
    async fn look_who_waits(&self) {
        let Some(handle) = self.sources.teller.hub.find(self.meeting.as_str()) else { return };
        let asked = handle.call(|session, _| session.waiting().iter().map(people::waiting).collect::<Vec<_>>());
        // A session that cannot answer is asked again.
        let Ok(Ok(waiting)) = tokio::time::timeout(ASK_WITHIN, asked).await else { return };
        let mut current = self.current();
        let Some(current) = current.as_mut().filter(|current| current.waiting != waiting) else { return };
        self.audience.tell(Frame { what: What::State, text: aside("door", &wire::Door { waiting: waiting.clone() }) });
        current.waiting = waiting;
    }
}

impl Current {
    fn session(&self) -> &SessionId {
        &self.fold.people.started.session
    }
}

/// No session is live.
pub fn none() -> Frame {
    Frame { what: What::State, text: Bytes::from_static(b"event: none\ndata: {}\n\n") }
}
