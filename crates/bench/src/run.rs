//! Carries out a plan against a server: makes meetings, lets people in, waits, reads, and adds it up.
//! Invariant: nothing but the load itself happens between the two readings of the window.
//! Next: `figures.rs`, what is made of the readings.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use salon_peer::media::Taken;
use salon_peer::sdp::Kind;
use salon_peer::{Identity, Invite, Line, Media, Track};
use tokio::task::JoinSet;

use crate::figures::{Figures, Readings};
use crate::floor::Floor;
use crate::person::Person;
use crate::plan::{Plan, Shape};
use crate::process::{Process, Used, full_buffers, machine_busy};
use crate::progress::Progress;
use crate::publisher::Publisher;
use crate::server::Server;
use crate::subscriber::Subscriber;
use crate::totals::Totals;

/// Publishers are few; they come in at this pace at most, so that their joins do not pile up.
const PUBLISHERS_AT_ONCE: usize = 16;
/// Between the last publisher and the first subscriber, and before memory is read.
const CALM: Duration = Duration::from_millis(500);
/// What the server uses before the first subscriber is read over this time.
const BEFORE: Duration = Duration::from_secs(1);

/// The people of a run, who stay until it is dropped.
pub struct Crowd<'a> {
    server: &'a Server,
    plan: Plan,
    identity: Arc<Identity>,
    publishing: Arc<Media<Publisher>>,
    watching: Arc<Media<Subscriber>>,
    people: Vec<Person>,
}

/// Those who are invited to one meeting.
struct Invited {
    publishers: Vec<Invite>,
    quiet: Vec<Invite>,
    subscribers: Vec<Invite>,
}

/// Runs a plan. The floor, if wanted, is measured afterwards, on a machine that is as free as it gets.
pub async fn run(server: &Server, plan: Plan, floor: Option<Duration>, progress: &Progress) -> anyhow::Result<Figures> {
    let mut crowd = Crowd::new(server, plan)?;
    let mut readings = Readings::default();
    crowd.let_in(&plan.shape, &mut readings, progress).await?;
    progress.say(&format!("settling for {:.1} s", plan.settle.as_secs_f64()));
    tokio::time::sleep(plan.settle).await;
    crowd.measure(&mut readings, progress).await?;
    drop(crowd);
    let floor = match floor {
        None => None,
        Some(seconds) => {
            progress.say("measuring the floor");
            let floor = tokio::task::spawn_blocking(move || Floor::measure(&plan, seconds)).await?;
            Some(floor.context("the floor cannot be measured")?)
        }
    };
    Ok(Figures::new(plan, &readings, floor))
}

impl<'a> Crowd<'a> {
    pub fn new(server: &'a Server, plan: Plan) -> anyhow::Result<Self> {
        Ok(Self {
            server,
            plan,
            identity: Arc::new(Identity::new()?),
            publishing: Arc::new(Media::start("publishers", Line::default())?),
            watching: Arc::new(Media::start("subscribers", Line { loss: plan.line.loss, delay: plan.line.delay })?),
            people: Vec::new(),
        })
    }

    /// How many are in.
    pub fn people(&self) -> usize {
        self.people.len()
    }

    /// Lets everybody of a shape in; the joins of those who watch are noted.
    pub async fn let_in(&mut self, shape: &Shape, readings: &mut Readings, progress: &Progress) -> anyhow::Result<()> {
        let invited = self.invite(shape, progress).await?;
        let mut publishers = Vec::new();
        for meeting in &invited {
            publishers.push(self.publish(meeting, progress).await?);
        }
        tokio::time::sleep(CALM).await;
        let (calm, calm_since) = (self.used(), Instant::now());
        tokio::time::sleep(BEFORE).await;
        let before = self.server.process.as_ref().and_then(|process| process.resident());
        let used_before = self.used();
        let start = Instant::now();
        let calm = used_before.as_ref().zip(calm).map(|(after, before)| after.since(&before).total());
        readings.share_before = calm.map(|used| used.as_secs_f64() / (start - calm_since).as_secs_f64());
        let joins = self.watch(shape, invited, publishers, progress).await?;
        readings.joining = start.elapsed();
        readings.used_joining = self.used().zip(used_before).map(|(after, before)| after.since(&before).total());
        readings.joins.extend(joins);
        readings.memory = before.map(|before| (before, before));
        Ok(())
    }

    /// Meetings and participants are made before anything is measured.
    async fn invite(&self, shape: &Shape, progress: &Progress) -> anyhow::Result<Vec<Invited>> {
        let door = &self.server.door;
        let mut invited = Vec::new();
        for at in 0..shape.meetings {
            progress.step("inviting", at, shape.meetings);
            let meeting = door.meeting(&format!("bench {at}")).await?;
            let invites = async |what: &str, count: usize| {
                let mut invites = Vec::with_capacity(count);
                for at in 0..count {
                    invites.push(door.participant(&meeting, &format!("{what}-{at}")).await?);
                }
                anyhow::Ok(invites)
            };
            invited.push(Invited {
                publishers: invites("publisher", shape.publishers).await?,
                quiet: invites("camera", shape.quiet()).await?,
                subscribers: invites("subscriber", shape.subscribers).await?,
            });
        }
        Ok(invited)
    }

    /// Publishers of one meeting come in; answers with each and the tracks they publish, the quiet ones last.
    async fn publish(&mut self, meeting: &Invited, progress: &Progress) -> anyhow::Result<Vec<(Person, Vec<Track>)>> {
        let rates = self.plan.rates;
        let loud = meeting.publishers.iter().map(|invite| (invite.clone(), rates));
        let all: Vec<_> = loud.chain(meeting.quiet.iter().map(|invite| (invite.clone(), rates.quiet()))).collect();
        let count = all.len();
        let mut publishers = Vec::with_capacity(count);
        for some in all.chunks(PUBLISHERS_AT_ONCE) {
            progress.step("publishing", publishers.len(), count);
            let mut joining = JoinSet::new();
            for (at, (invite, rates)) in some.iter().cloned().enumerate() {
                let (door, identity, media) = (self.server.door.clone(), self.identity.clone(), self.publishing.clone());
                joining.spawn(async move {
                    let person = Person::open(&door.address, invite).await?;
                    let tracks = person.publish(&identity, &media, rates).await.context("a publisher cannot publish")?;
                    anyhow::Ok((at, person, tracks))
                });
            }
            let mut came = Vec::new();
            while let Some(joined) = joining.join_next().await {
                came.push(joined??);
            }
            came.sort_by_key(|(at, ..)| *at);
            publishers.extend(came.into_iter().map(|(_, person, tracks)| (person, tracks)));
        }
        Ok(publishers)
    }

    /// Those who watch come in, at the pace of the plan, meeting by meeting in turn.
    async fn watch(
        &mut self,
        shape: &Shape,
        invited: Vec<Invited>,
        publishers: Vec<Vec<(Person, Vec<Track>)>>,
        progress: &Progress,
    ) -> anyhow::Result<Vec<Duration>> {
        let mut watchers: Vec<(usize, Watcher)> = Vec::new();
        for (meeting, people) in publishers.into_iter().enumerate() {
            let tracks = taken(shape, &people);
            for (at, (person, own)) in people.into_iter().enumerate() {
                if shape.mutual && at < shape.publishers {
                    let others = tracks.iter().filter(|track| own.iter().all(|own| own.producer != track.producer));
                    watchers.push((at * shape.meetings + meeting, Watcher::Here(person, others.cloned().collect())));
                } else {
                    self.people.push(person);
                }
            }
            for (at, invite) in invited[meeting].subscribers.iter().enumerate() {
                let turn = (shape.publishers + at) * shape.meetings + meeting;
                watchers.push((turn, Watcher::Comes(invite.clone(), tracks.clone())));
            }
        }
        watchers.sort_by_key(|(turn, _)| *turn);
        let count = watchers.len();
        let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / self.plan.joins_per_second));
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut joining = JoinSet::new();
        let mut joins = Vec::with_capacity(count);
        for (_, watcher) in watchers {
            pace.tick().await;
            let (door, identity, media) = (self.server.door.clone(), self.identity.clone(), self.watching.clone());
            let open_every = self.plan.open_every;
            joining.spawn(async move {
                let (mut person, tracks, here) = match watcher {
                    Watcher::Here(person, tracks) => (person, tracks, true),
                    Watcher::Comes(invite, tracks) => (Person::open(&door.address, invite).await?, tracks, false),
                };
                person.prepare_to_watch(&identity, &media, open_every, here).await?;
                let join = person.watch(&tracks).await.context("a subscriber cannot watch")?;
                anyhow::Ok((person, join))
            });
            while let Some(joined) = joining.try_join_next() {
                self.note(joined??, &mut joins);
            }
            progress.step("joining", joins.len(), count);
        }
        while let Some(joined) = joining.join_next().await {
            self.note(joined??, &mut joins);
            progress.step("joining", joins.len(), count);
        }
        Ok(joins)
    }

    fn note(&mut self, (person, join): (Person, Duration), joins: &mut Vec<Duration>) {
        self.people.push(person);
        joins.push(join);
    }

    /// Reads everything at both ends of the window.
    pub async fn measure(&self, readings: &mut Readings, progress: &Progress) -> anyhow::Result<()> {
        self.take().await?;
        let (used, buffers, machine, start) = (self.used(), full_buffers(), machine_and_own(), Instant::now());
        let until = start + self.plan.window;
        while Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            progress.say(&format!("measuring, {:.0} s left", left.as_secs_f64().ceil()));
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
        }
        let (used_after, machine_after) = (self.used(), machine_and_own());
        readings.window = start.elapsed();
        let (publishing, watching) = self.take().await?;
        readings.used = used_after.zip(used).map(|(after, before)| after.since(&before));
        readings.full_buffers = full_buffers().zip(buffers).map(|(after, before)| after.saturating_sub(before));
        readings.machine = machine_after.zip(machine).map(|(after, before)| (after.0 - before.0, after.1 - before.1));
        let after = self.server.process.as_ref().and_then(|process| process.resident());
        readings.memory = readings.memory.zip(after).map(|((before, _), after)| (before, after));
        (readings.publishing_cpu, readings.watching_cpu) = (publishing.cpu, watching.cpu);
        let mut totals = Totals::of(publishing);
        totals += Totals::of(watching);
        readings.totals = totals;
        Ok(())
    }

    async fn take(&self) -> anyhow::Result<(Taken<Totals>, Taken<Totals>)> {
        Ok((self.publishing.take().await?, self.watching.take().await?))
    }

    fn used(&self) -> Option<Used> {
        self.server.process.as_ref().and_then(|process| process.used())
    }
}

/// CPU time of everything on this machine, and of this process.
fn machine_and_own() -> Option<(Duration, Duration)> {
    Some((machine_busy()?, Process::new(std::process::id()).used()?.total()))
}

/// Somebody who is to watch tracks.
enum Watcher {
    /// In the meeting already, as a publisher.
    Here(Person, Vec<Track>),
    Comes(Invite, Vec<Track>),
}

/// What everybody in a meeting takes: all voices, and as many videos as the shape says.
fn taken(shape: &Shape, publishers: &[(Person, Vec<Track>)]) -> Vec<Track> {
    let all = publishers.iter().flat_map(|(_, tracks)| tracks);
    let videos = all.clone().filter(|track| track.kind == Kind::Video).take(shape.streams + usize::from(shape.mutual));
    videos.chain(all.filter(|track| track.kind == Kind::Audio)).cloned().collect()
}
