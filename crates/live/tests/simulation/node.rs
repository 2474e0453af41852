//! One run of a node: its clock, its claim, and the task of the meeting's session if it has one.
//! As thin as the drivers: what to believe is asked of the crate, what happens in a session of core.

use std::sync::Arc;

use salon_core::limits::Limits;
use salon_core::session::{MeetingFacts, Output};
use salon_core::{Event, Session, Timestamp};
use salon_live::{Alive, Evidence, Lease, Live, Reading, SinceBoot, ToldOf};

use crate::store::{Store, Trouble};
use tokio_util::sync::CancellationToken;

/// How long saving is tried.
const SAVE_FOR_MS: i64 = 5_000;
const RENEW_EVERY_MS: i64 = 300;
const LOOK_EVERY_MS: i64 = 500;

/// What a node says of the meeting's session.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// It is this node's own, which can prove it.
    Live(Told),
    /// None is live.
    Nothing,
    /// That other node has it.
    Elsewhere(usize),
    /// Nothing can be said at this moment.
    Unavailable,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub session: String,
    pub live: u32,
    pub most: u32,
    pub minutes: f64,
}

pub struct Task {
    pub session: Session,
    /// Tells it from others that this run has had.
    pub number: u64,
    epoch: i64,
    ahead_ms: i64,
    live: Option<Arc<Live>>,
    /// What waits to be saved, and since when.
    unsaved: Vec<Event>,
    since: i64,
}

pub struct Node {
    pub me: usize,
    pub run: u64,
    /// What its clock is before the true time.
    behind_ms: i64,
    alive: Alive,
    last_beat: Option<Timestamp>,
    lease: Lease,
    pub task: Option<Task>,
    tasks: u64,
    fall: Option<Timestamp>,
    told: ToldOf,
    renewed_at: i64,
    looked_at: i64,
    facts: MeetingFacts,
    limits: Limits,
}

impl Node {
    /// None if the store cannot be reached.
    pub fn start(
        me: usize,
        run: u64,
        now: i64,
        behind_ms: i64,
        path: &std::path::Path,
        store: &mut Store,
        facts: MeetingFacts,
        limits: Limits,
    ) -> Option<Self> {
        let (alive, last_beat) = Alive::open(path).expect("the file can be opened");
        store.register(me, run, now, now - behind_ms).ok()?;
        let lease = Lease::shared();
        lease.renewed(SinceBoot(now), Timestamp(now - behind_ms));
        let (task, tasks, fall, told) = (None, 0, None, ToldOf::default());
        Some(Self {
            me,
            run,
            behind_ms,
            alive,
            last_beat,
            lease,
            task,
            tasks,
            fall,
            told,
            renewed_at: now,
            looked_at: 0,
            facts,
            limits,
        })
    }

    pub fn clock(&self, now: i64) -> Timestamp {
        Timestamp(now - self.behind_ms)
    }

    /// It finds out that the wall is ahead, because its machine slept or learned the time.
    pub fn leap(&mut self, now: i64) {
        if self.behind_ms > 60_000 {
            self.let_go(now);
        }
        if self.behind_ms > 2_000 {
            self.behind_ms = 0;
        }
    }

    pub fn holds(&self, now: i64) -> bool {
        self.lease.holds(SinceBoot(now)).is_some()
    }

    pub fn is_busy(&self) -> bool {
        self.task.as_ref().is_some_and(|task| !task.unsaved.is_empty())
    }

    /// It has yet to learn the time.
    pub fn is_behind(&self) -> bool {
        self.behind_ms.abs() > 60_000
    }

    pub fn stands_behind(&mut self, ms: i64) {
        self.behind_ms += ms;
    }

    /// What a task says last: its session is to be gone on with.
    fn let_go(&mut self, now: i64) {
        if let Some(task) = self.task.take() {
            self.fall.get_or_insert(self.clock(now).plus_ms(task.ahead_ms));
        }
    }

    /// A bug in the session.
    pub fn panic(&mut self, now: i64) {
        self.let_go(now);
    }

    /// A tenth of a second of what goes on by itself.
    pub fn tick(&mut self, now: i64, store: &mut Store) {
        if self.lease.is_given_up(SinceBoot(now)) {
            self.let_go(now);
        }
        self.alive.tell(self.clock(now)).expect("the file takes it");
        if now - self.renewed_at >= RENEW_EVERY_MS {
            self.renewed_at = now;
            match store.renew(self.me, self.run, now, self.clock(now).0) {
                Ok(()) => {
                    if self.lease.holds(SinceBoot(now)).is_none() && self.is_lost(store) {
                        self.task = None;
                    }
                    self.lease.renewed(SinceBoot(now), self.clock(now));
                }
                Err(Trouble::NotOwner) => self.lease.lose(),
                Err(_) => {}
            }
        }
        let at = self.clock(now);
        let holds = self.lease.holds(SinceBoot(now)).is_some();
        if let Some(task) = self.task.as_mut().filter(|_| holds) {
            let at = at.plus_ms(task.ahead_ms);
            if task.unsaved.is_empty() && task.session.wake_at().is_some_and(|due| due <= at) {
                task.session.handle_timeout(at);
            }
        }
        self.save(now, store);
        if now - self.looked_at >= LOOK_EVERY_MS && self.lease.holds(SinceBoot(now)).is_some() {
            self.looked_at = now;
            let _ = self.open(now, store, false);
        }
    }

    /// Another run has the session of its task.
    fn is_lost(&self, store: &Store) -> bool {
        let is_live = self.task.as_ref().is_some_and(|task| task.live.is_some());
        is_live && store.row.as_ref().is_none_or(|row| row.run != self.run)
    }

    /// Saves what happened, or gives the session up.
    fn save(&mut self, now: i64, store: &mut Store) {
        let at = self.clock(now);
        let Some(task) = &mut self.task else { return };
        let news: Vec<Event> = task
            .session
            .take_outputs()
            .into_iter()
            .filter_map(|output| match output {
                Output::Remember { event, .. } => Some(event),
                _ => None,
            })
            .collect();
        if task.unsaved.is_empty() {
            if news.is_empty() {
                return;
            }
            task.since = now;
            if let Some(live) = &task.live {
                live.saving(at);
            }
        }
        task.unsaved.extend(news);
        if task.unsaved.iter().any(|event| event.seq == 1) {
            task.epoch = 1;
        }
        match store.append(self.me, self.run, task.epoch, now, &task.unsaved) {
            Ok(()) => {
                task.unsaved.clear();
                let before = task.live.take();
                if let Some(before) = &before {
                    before.saved();
                }
                let summary = task.session.summary();
                task.live = summary.map(|summary| {
                    Arc::new(Live::after(before.as_deref(), summary, task.ahead_ms, &self.told, &CancellationToken::new()))
                });
                if task.live.is_none() {
                    self.task = None;
                }
            }
            Err(Trouble::Away) if now - task.since < SAVE_FOR_MS => {}
            Err(Trouble::Away) => self.let_go(now),
            Err(_) => self.task = None,
        }
    }

    /// The task of the meeting; a session that lives in the store is gone on with, and `fresh` begins one.
    pub fn open(&mut self, now: i64, store: &mut Store, fresh: bool) -> Result<&mut Task, Trouble> {
        if self.lease.holds(SinceBoot(now)).is_none() {
            return Err(Trouble::Away);
        }
        if self.task.is_none() {
            let task = match store.live(self.me)? {
                None if !fresh => {
                    self.fall = None;
                    return Err(Trouble::NotOwner);
                }
                None => {
                    self.fall = None;
                    let session = Session::new(self.facts.clone(), self.limits.clone());
                    Task { session, number: self.tasks, epoch: 1, ahead_ms: 0, live: None, unsaved: Vec::new(), since: 0 }
                }
                Some((row, record)) => {
                    let evidence = Evidence {
                        now: self.clock(now),
                        updated_at: record.updated_at,
                        let_go: self.fall.filter(|_| row.run == self.run),
                        beat: self.last_beat.filter(|_| row.owner == self.me),
                        owner_seen: store.owner_seen(&row, now),
                    };
                    let epoch = match store.take_over(
                        self.me,
                        self.run,
                        row.epoch,
                        now,
                        self.lease.may_judge(SinceBoot(now)),
                        evidence.let_go,
                    ) {
                        Err(Trouble::OwnerAlive | Trouble::NotOwner) => {
                            self.fall = None;
                            return Err(Trouble::OwnerAlive);
                        }
                        outcome => outcome?,
                    };
                    let goes_on = evidence.weigh();
                    let at = self.clock(now).plus_ms(goes_on.ahead_ms);
                    let session = Session::recover(self.facts.clone(), self.limits.clone(), record, at, goes_on.seen, &[]);
                    let live = session.summary().map(|summary| {
                        Arc::new(Live::after(None, summary, goes_on.ahead_ms, &self.told, &CancellationToken::new()))
                    });
                    self.fall = None;
                    Task { session, number: self.tasks, epoch, ahead_ms: goes_on.ahead_ms, live, unsaved: Vec::new(), since: 0 }
                }
            };
            self.task = Some(task);
            self.tasks += 1;
            self.save(now, store);
        }
        self.task.as_mut().ok_or(Trouble::NotOwner)
    }

    /// Something is done in the session and answered when it is saved; false if that is not so yet.
    pub fn call(&mut self, now: i64, store: &mut Store, fresh: bool, act: impl FnOnce(&mut Session, Timestamp)) -> bool {
        let at = self.clock(now);
        let Ok(task) = self.open(now, store, fresh) else { return false };
        if !task.unsaved.is_empty() {
            return false;
        }
        act(&mut task.session, at.plus_ms(task.ahead_ms));
        self.save(now, store);
        self.task.as_ref().is_none_or(|task| task.unsaved.is_empty())
    }

    /// Its task, by its run and number.
    pub fn task_id(&self) -> Option<(u64, u64)> {
        Some((self.run, self.task.as_ref()?.number))
    }

    /// How far the record of its session goes, if it has one.
    pub fn seq(&self) -> Option<(String, u64)> {
        let record = self.task.as_ref()?.session.record()?;
        Some((record.started.session.to_string(), record.seq))
    }

    /// What it says by itself.
    pub fn ask(&self, now: i64, store: &Store) -> Said {
        let at = self.clock(now);
        if let Some(live) = self.task.as_ref().and_then(|task| task.live.clone()) {
            let held = self.lease.holds(SinceBoot(now));
            let Some(reading) = held.and_then(|held| Reading::new(live, held, at)) else { return Said::Unavailable };
            let told = self.alive.tell(reading.at(at)).expect("the file takes it");
            let (summary, minutes) = reading.tell(&told);
            let (session, live, most) = (summary.session.to_string(), summary.live, summary.max_concurrent);
            return Said::Live(Told { session, live, most, minutes });
        }
        if self.fall.is_some() {
            return Said::Unavailable;
        }
        match store.owner(self.me) {
            Err(_) => Said::Unavailable,
            Ok(None) => Said::Nothing,
            Ok(Some(owner)) if owner == self.me => Said::Unavailable,
            Ok(Some(owner)) => Said::Elsewhere(owner),
        }
    }
}
