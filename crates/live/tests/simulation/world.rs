//! Trouble at random, and what must hold whatever happens.

use std::collections::BTreeMap;
use std::path::PathBuf;

use salon_core::limits::Limits;
use salon_core::session::{Join, MeetingFacts};
use salon_core::{AppId, MeetingId, ParticipantId, PeerId, Preset, PresetId, SessionId};

use crate::dice::Dice;
use crate::node::Node;
use crate::store::Store;

const BEGIN: i64 = 1_770_000_000_000;
const PEERS: usize = 5;
const TICK_MS: i64 = 100;
const KEEP_ALIVE_MS: i64 = 20_000;
const GRACE_MS: i64 = 5_000;
const YEARS_MS: i64 = 3 * 365 * 24 * 3_600_000;

pub struct World {
    dice: Dice,
    now: i64,
    store: Store,
    nodes: [Option<Node>; 2],
    runs: u64,
    sessions: usize,
    /// On which node each person has a socket.
    people: [Option<usize>; PEERS],
    /// Sockets that are gone, which their sessions have yet to hear: who, on which node, and whether on purpose.
    gone: Vec<(usize, usize, bool)>,
    /// Until when a trouble lasts.
    over_at: i64,
    /// The most that was told of each session, by anybody.
    told: BTreeMap<String, f64>,
    data: PathBuf,
    /// What happened, told when a rule is broken.
    journal: Vec<String>,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.journal.iter().rev().take(40).rev().for_each(|line| eprintln!("{line}"));
        }
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let data = std::env::temp_dir().join(format!("salon-live-simulation-{}-{seed}", std::process::id()));
        std::fs::create_dir_all(&data).expect("a folder");
        let mut store = Store::default();
        store.reached_by = [true; 2];
        let mut world = Self {
            dice: Dice::new(seed),
            now: BEGIN,
            store,
            nodes: [None, None],
            runs: 0,
            sessions: 0,
            people: [None; PEERS],
            gone: Vec::new(),
            over_at: 0,
            told: BTreeMap::new(),
            data,
            journal: Vec::new(),
        };
        world.start(0);
        world.start(1);
        world
    }

    fn start(&mut self, node: usize) {
        self.runs += 1;
        let facts = MeetingFacts {
            meeting: MeetingId::parse("meeting").unwrap(),
            app: AppId::parse("app").unwrap(),
            title: String::new(),
            keep_alive_ms: KEEP_ALIVE_MS,
            persist_chat: false,
            parent: None,
        };
        let limits = Limits { grace_ms: GRACE_MS, max_peers: 100, max_peers_ever: 10_000, ..Limits::default() };
        // Each run's clock is a little off, or years behind until it hears the time.
        let behind = self.dice.pick(&[0, 0, -700, 400, YEARS_MS]);
        let path = self.data.join(format!("alive-{node}"));
        self.journal.push(format!("{} node {node} starts, {behind} behind", self.now - BEGIN));
        self.nodes[node] = Node::start(node, self.runs, self.now, behind, &path, &mut self.store, facts, limits);
    }

    pub fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.now += TICK_MS;
            self.trouble();
            self.people();
            self.tick();
            self.check();
        }
        self.calm_down();
    }

    fn tick(&mut self) {
        for node in self.nodes.iter_mut().flatten() {
            node.tick(self.now, &mut self.store);
        }
        let (nodes, store, now) = (&mut self.nodes, &mut self.store, self.now);
        self.gone.retain(|(peer, at, on_purpose)| {
            // With the task of its session everything it has yet to hear is gone.
            let Some(node) = nodes[*at].as_mut().filter(|node| node.task.is_some()) else { return false };
            if node.is_busy() {
                return true;
            }
            node.call(now, store, false, |session, now| {
                if *on_purpose { session.leave(now, &id(*peer)) } else { session.disconnect(now, &id(*peer)) }
            });
            false
        });
        // Sockets of a session that was let go of are closed.
        for place in &mut self.people {
            if place.is_some_and(|node| self.nodes[node].as_ref().is_none_or(|node| node.task.is_none())) {
                *place = None;
            }
        }
    }

    fn trouble(&mut self) {
        if self.now >= self.over_at {
            self.store.reached_by = [true; 2];
            self.store.full = false;
            for node in 0..2 {
                if self.nodes[node].is_none() && self.dice.one_in(20) {
                    self.start(node);
                }
            }
        }
        if !self.dice.one_in(120) {
            return;
        }
        self.over_at = self.now + self.dice.pick(&[300, 1_900, 4_000, 5_900, 6_100, 8_500, 12_000, 40_000]);
        let (node, what) = (self.dice.roll(2), self.dice.roll(8));
        self.journal.push(format!("{} trouble {what} at node {node} until {}", self.now - BEGIN, self.over_at - BEGIN));
        match what {
            0 => self.store.reached_by[node] = false,
            1 => self.store.reached_by = [false; 2],
            2 => self.store.full = true,
            // Killed, with nothing said.
            3 => self.nodes[node] = None,
            // Stopped in good order.
            4 => {
                if let Some(stopped) = self.nodes[node].take() {
                    self.stop(stopped);
                }
            }
            5 => {
                if let Some(node) = &mut self.nodes[node] {
                    node.panic(self.now);
                }
            }
            // Its machine sleeps while the other goes on.
            6 => {
                let slept = self.dice.pick(&[70_000, 3_600_000]);
                let Some(mut sleeper) = self.nodes[node].take() else { return };
                sleeper.stands_behind(slept);
                for _ in 0..(slept.min(100_000) / TICK_MS) {
                    self.now += slept / (slept.min(100_000) / TICK_MS);
                    self.tick();
                    self.check();
                }
                // Somebody may ask before it has noticed.
                self.nodes[node] = Some(sleeper);
                self.check();
                if let Some(sleeper) = &mut self.nodes[node] {
                    sleeper.leap(self.now);
                }
            }
            // It hears the time.
            _ => {
                if let Some(node) = &mut self.nodes[node] {
                    node.leap(self.now);
                }
            }
        }
        self.tick_people_of_the_gone();
    }

    fn tick_people_of_the_gone(&mut self) {
        for place in &mut self.people {
            if place.is_some_and(|node| self.nodes[node].is_none()) {
                *place = None;
            }
        }
    }

    fn stop(&mut self, mut node: Node) {
        let me = node.me;
        for peer in 0..PEERS {
            if self.people[peer] == Some(me) {
                self.people[peer] = None;
                node.call(self.now, &mut self.store, false, |session, now| session.disconnect(now, &id(peer)));
            }
        }
        self.store.leave(me, node.run, node.clock(self.now).0);
    }

    fn people(&mut self) {
        if !self.dice.one_in(6) {
            return;
        }
        let (peer, at) = (self.dice.roll(PEERS), self.dice.roll(2));
        match self.people[peer] {
            None if self.dice.one_in(2) => {
                let fresh = SessionId::parse(&format!("s{}", self.sessions)).unwrap();
                let join = join(peer, fresh.clone());
                let Some(node) = &mut self.nodes[at] else { return };
                let joined = node.call(self.now, &mut self.store, true, |session, now| {
                    let _ = session.join(now, join);
                });
                if node.task.as_ref().and_then(|task| task.session.summary()).is_some_and(|live| live.session == fresh) {
                    self.sessions += 1;
                }
                self.journal.push(format!("{} peer {peer} joins at node {at}: {joined}", self.now - BEGIN));
                if joined && node.task.is_some() {
                    self.people[peer] = Some(at);
                }
            }
            None => {}
            Some(at) => {
                self.people[peer] = None;
                self.gone.push((peer, at, self.dice.one_in(2)));
            }
        }
    }

    /// Everybody asks.
    fn check(&mut self) {
        let mut owners = 0;
        for node in self.nodes.iter().flatten() {
            let Some(Some((session, _, minutes, is_owner))) = node.ask(self.now, &self.store) else { continue };
            owners += usize::from(is_owner);
            self.journal.push(format!("{} node {}: {session} {minutes} {is_owner}", self.now - BEGIN, node.me));
            let told = self.told.entry(session.clone()).or_default();
            assert!(
                minutes >= *told,
                "{} ms less of {session} from node {} than was told before",
                (*told - minutes) * 60_000.0,
                node.me
            );
            *told = minutes;
            let most = (PEERS * 40) as f64 * (self.now - BEGIN) as f64 / 60_000.0;
            assert!(minutes <= most, "nor are minutes made up: {minutes} of {session}");
        }
        assert!(owners <= 1, "two nodes answer as the owner");
    }

    /// All trouble is over and everybody has gone: soon nobody is counted, and then no session is live.
    fn calm_down(&mut self) {
        self.store.reached_by = [true; 2];
        self.store.full = false;
        for node in 0..2 {
            if self.nodes[node].is_none() {
                self.start(node);
            }
        }
        for peer in 0..PEERS {
            let Some(at) = self.people[peer].take() else { continue };
            self.gone.push((peer, at, false));
        }
        for _ in 0..20_000 / TICK_MS {
            self.now += TICK_MS;
            self.tick();
            self.check();
        }
        for node in self.nodes.iter().flatten() {
            let counted = node.ask(self.now, &self.store).expect("all is well").map_or(0, |(_, live, _, _)| live);
            assert_eq!(counted, 0, "people who are long gone are counted on node {}", node.me);
        }
        for _ in 0..(GRACE_MS + KEEP_ALIVE_MS + 10_000) / TICK_MS {
            self.now += TICK_MS;
            self.tick();
            self.check();
        }
        for node in self.nodes.iter().flatten() {
            assert_eq!(node.ask(self.now, &self.store), Some(None), "a session in which nobody is has an end");
        }
    }
}

fn id(peer: usize) -> PeerId {
    PeerId::parse(&format!("peer-{peer}")).unwrap()
}

fn join(peer: usize, fresh_session: SessionId) -> Join {
    Join {
        peer: id(peer),
        participant: ParticipantId::parse(&format!("person-{peer}")).unwrap(),
        custom_participant_id: String::new(),
        name: format!("peer {peer}"),
        wanted_name: None,
        picture: None,
        preset: Preset::named(PresetId::parse("preset").unwrap(), "preset"),
        meeting_active: true,
        origin: None,
        let_in: None,
        flowing: Vec::new(),
        fresh_session,
    }
}
