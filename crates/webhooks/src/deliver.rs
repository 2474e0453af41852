//! The task that delivers: takes lanes from the store, tells what is in them one by one, and notes what came of it.
//! Owns the lanes that this run holds. While one turn with the store is under way, the next one's news gathers.
//! Invariant: so many tries at once to one webhook and no more, fewer to one that does not answer, so that none harms
//! another. What is lost when the node dies is told again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use salon_core::{Notice, Timestamp, WebhookId};
use salon_store::{Claimed, DAY_MS, Delivery, LANE_HELD_MS, Lane, Next, RunId, Standing, Store, Tried, Wanted, Webhook};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::due::{GIVEN_UP_AFTER_MS, Outcome, next, standing};
use crate::figures::Figures;
use crate::guard::Guard;
use crate::key::Key;
use crate::post::{Post, WITHIN};

/// Lanes of one webhook that are told in at once. More lets one receiver hold more of the places of all.
const LANES_OF_ONE: u32 = 8;

/// Lanes of all webhooks at once, twice what the webhooks of one app can have. Each is a task, and at most a connection.
const LANES: usize = 512;

/// For so long news gathers before a turn with the store. Longer makes a single event later, shorter makes more
/// transactions, which those of live sessions wait for.
const GATHER: Duration = Duration::from_millis(20);

/// How often it is looked who is due: for what waited, and what other nodes wrote and did not live to tell.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often lanes of dead runs are freed and what is open is counted.
const COUNT_EVERY: Duration = Duration::from_secs(10);

/// How often what is too old is forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

/// How long it waits when the store or the key is not to be had.
const REST: Duration = Duration::from_millis(500);

/// Writes what a receiver is told of a notice.
pub type Body = Box<dyn Fn(&Notice, &str) -> Vec<u8> + Send + Sync>;

/// What the task needs of the node.
pub struct Parts {
    pub store: Store,
    pub guard: Arc<Guard>,
    pub key: Key,
    pub figures: Figures,
    /// This run of this node, which lanes are held by.
    pub run: RunId,
    pub now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// What is told of a notice in an app of this name.
    pub body: Body,
    /// Days after which it is forgotten what was told.
    pub keep_days: u32,
}

/// What a lane's task has to say.
enum Report {
    Tried(Tried),
    /// It has ended without a last try.
    Left(WebhookId),
}

/// Delivers until the node stops; what is under way then is noted still.
pub async fn deliver(parts: Parts, stop: CancellationToken) {
    let (reports, inbox) = mpsc::channel(LANES);
    let dispatcher = Dispatcher {
        parts: Arc::new(parts),
        post: None,
        reports,
        inbox,
        held: HashMap::new(),
        wanted: BTreeSet::new(),
        tried: Vec::new(),
        troubled: BTreeSet::new(),
        stop,
    };
    dispatcher.run().await;
}

struct Dispatcher {
    parts: Arc<Parts>,
    /// Made when there is somebody to be told: it reads the system's certificates.
    post: Option<Post>,
    reports: mpsc::Sender<Report>,
    inbox: mpsc::Receiver<Report>,
    /// How many lanes of which webhook this run holds.
    held: HashMap<WebhookId, u32>,
    /// Who may be due.
    wanted: BTreeSet<WebhookId>,
    /// What came of tries and is not noted yet; no more than was in the lanes that are held.
    tried: Vec<Tried>,
    /// What went wrong last time, and is not told again.
    troubled: BTreeSet<&'static str>,
    stop: CancellationToken,
}

impl Dispatcher {
    async fn run(mut self) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut count = tokio::time::interval(COUNT_EVERY);
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        for every in [&mut look, &mut count, &mut sweep] {
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        while !(self.stop.is_cancelled() && self.held.is_empty()) {
            let stops = self.stop.is_cancelled();
            tokio::select! {
                () = self.stop.cancelled(), if !stops => {}
                Some(report) = self.inbox.recv() => self.take(report),
                woken = self.parts.store.woken_webhooks(), if !stops => self.wanted.extend(woken),
                _ = count.tick() => self.count().await,
                _ = look.tick() => self.look().await,
                _ = sweep.tick() => self.sweep().await,
            }
            if !self.stop.is_cancelled() {
                tokio::time::sleep(GATHER).await;
            }
            while let Ok(report) = self.inbox.try_recv() {
                self.take(report);
            }
            let turned = self.turn().await;
            if turned.is_err() {
                tokio::time::sleep(REST).await;
            }
            self.heed("webhooks cannot be told right now", turned);
        }
    }

    fn take(&mut self, report: Report) {
        let ended = match &report {
            Report::Tried(tried) if !tried.lets_go => None,
            Report::Tried(tried) => Some(tried.webhook.clone()),
            Report::Left(webhook) => Some(webhook.clone()),
        };
        if let Some(webhook) = ended {
            if let Some(held) = self.held.get_mut(&webhook) {
                *held -= 1;
                if *held == 0 {
                    self.held.remove(&webhook);
                }
            }
            self.wanted.insert(webhook);
        }
        if let Report::Tried(tried) = report {
            self.tried.push(tried);
        }
    }

    /// Notes what came of tries, and takes what may be told now.
    async fn turn(&mut self) -> anyhow::Result<()> {
        let mut room = LANES.saturating_sub(self.lanes());
        let mut wanted = Vec::new();
        if !self.stop.is_cancelled() {
            for webhook in &self.wanted {
                let held = self.held.get(webhook).copied().unwrap_or(0);
                let lanes = LANES_OF_ONE.saturating_sub(held).min(room as u32);
                if lanes > 0 {
                    room -= lanes as usize;
                    wanted.push(Wanted { webhook: webhook.clone(), lanes, is_idle: held == 0 });
                }
            }
        }
        if self.tried.is_empty() && wanted.is_empty() {
            return Ok(());
        }
        if !wanted.is_empty() {
            // Nothing is taken that could not be signed.
            self.parts.key.pair().await?;
        }
        let post = match &self.post {
            Some(post) => post.clone(),
            None => self.post.insert(Post::new(self.parts.guard.clone())?).clone(),
        };
        let claimed = self.parts.store.deliver(&self.parts.run, &self.tried, &wanted, (self.parts.now)()).await?;
        self.tried.clear();
        for wanted in &wanted {
            self.wanted.remove(&wanted.webhook);
        }
        for claimed in claimed {
            self.begin(&post, claimed);
        }
        self.parts.figures.holds(self.lanes());
        Ok(())
    }

    fn lanes(&self) -> usize {
        self.held.values().map(|held| *held as usize).sum()
    }

    fn begin(&mut self, post: &Post, claimed: Claimed) {
        let Claimed { webhook, app_name, failures, lanes } = claimed;
        let to = Arc::new(Receiver { webhook, app_name, failures });
        for lane in lanes {
            *self.held.entry(to.webhook.id.clone()).or_default() += 1;
            let teller = Teller {
                parts: self.parts.clone(),
                post: post.clone(),
                to: to.clone(),
                reports: self.reports.clone(),
                stop: self.stop.clone(),
            };
            tokio::spawn(teller.tell(lane));
        }
    }

    async fn look(&mut self) {
        let due = self.parts.store.webhooks_due((self.parts.now)()).await;
        self.wanted.extend(due.as_ref().ok().cloned().unwrap_or_default());
        self.heed("it cannot be seen which webhooks are due", due.map_err(Into::into));
    }

    async fn count(&mut self) {
        let freed = self.parts.store.free_lanes().await;
        self.heed("what dead nodes were telling webhooks cannot be gone on with", freed.map_err(Into::into));
        let open = self.parts.store.open_deliveries().await;
        if let Ok((open, oldest)) = &open {
            let age_ms = oldest.map_or(0, |oldest| (self.parts.now)().since(oldest));
            self.parts.figures.waiting(*open, age_ms as f64 / 1_000.0);
        }
        self.heed("open deliveries cannot be counted", open.map_err(Into::into));
    }

    async fn sweep(&mut self) {
        let (store, now) = (&self.parts.store, (self.parts.now)());
        let given_up = store.give_up_deliveries(now.plus_ms(-GIVEN_UP_AFTER_MS)).await;
        let swept = store.sweep_deliveries(now.plus_ms(-i64::from(self.parts.keep_days) * DAY_MS)).await;
        self.heed("old deliveries cannot be forgotten", given_up.and(swept).map_err(Into::into));
    }

    /// Says what went wrong, once until something goes well.
    fn heed<T>(&mut self, what: &'static str, outcome: anyhow::Result<T>) {
        match outcome {
            Ok(_) => drop(self.troubled.remove(what)),
            Err(error) if self.troubled.insert(what) => tracing::warn!(error = format!("{error:#}"), "{what}"),
            Err(_) => {}
        }
    }
}

/// Whom something is told, as of the claim.
struct Receiver {
    webhook: Webhook,
    app_name: String,
    /// Tries in a row before that came to nothing.
    failures: u32,
}

/// Tells what is in one lane.
struct Teller {
    parts: Arc<Parts>,
    post: Post,
    to: Arc<Receiver>,
    reports: mpsc::Sender<Report>,
    stop: CancellationToken,
}

impl Teller {
    async fn tell(self, lane: Lane) {
        let mut held_since = Instant::now();
        let mut failures = self.to.failures;
        let last = lane.deliveries.len().saturating_sub(1);
        for (at, delivery) in lane.deliveries.iter().enumerate() {
            // A process that stood still may have lost the lane to another, which goes on where it was.
            if held_since.elapsed() + 2 * WITHIN > Duration::from_millis(LANE_HELD_MS.unsigned_abs()) {
                break;
            }
            let mut tried = self.try_once(&lane.subject, delivery, failures).await;
            tried.lets_go = at == last || matches!(tried.next, Next::Again(_)) || self.stop.is_cancelled();
            if tried.standing == Standing::Recovered {
                failures = 0;
            }
            let lets_go = tried.lets_go;
            // Each note makes the lane ours anew.
            held_since = Instant::now();
            if self.reports.send(Report::Tried(tried)).await.is_err() || lets_go {
                return;
            }
        }
        let _ = self.reports.send(Report::Left(self.to.webhook.id.clone())).await;
    }

    async fn try_once(&self, subject: &str, delivery: &Delivery, failures: u32) -> Tried {
        let Receiver { webhook, app_name, .. } = &*self.to;
        let body = (self.parts.body)(&delivery.notice, app_name);
        let said = match self.parts.key.pair().await {
            Ok(pair) => self.post.send(webhook, delivery, body, pair, (self.parts.now)()).await,
            // It was there when the lane was taken, and does not go.
            Err(error) => crate::post::Said { outcome: Outcome::Nothing, text: format!("{error:#}") },
        };
        let now = (self.parts.now)();
        let age_ms = now.since(delivery.created_at);
        let tries = delivery.tries + 1;
        let next = next(said.outcome, tries, age_ms, die());
        self.parts.figures.tried(next, age_ms as f64 / 1_000.0);
        tracing::debug!(webhook.id = %webhook.id, delivery.id = %delivery.id, outcome = ?said.outcome, ?next, "told a webhook");
        Tried {
            webhook: webhook.id.clone(),
            subject: subject.to_owned(),
            delivery: delivery.id.clone(),
            position: delivery.position,
            tries,
            at: now,
            status: match said.outcome {
                Outcome::Answered(status) => Some(status),
                Outcome::Nothing => None,
            },
            answer: Some(said.text),
            next,
            lets_go: true,
            standing: standing(said.outcome, failures),
        }
    }
}

/// Between 0 and 1.
fn die() -> f64 {
    let mut bytes = [0u8; 4];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}
