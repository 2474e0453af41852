//! Trouble at random, and what must hold whatever happens.

use std::collections::BTreeMap;
use std::path::PathBuf;

use salon_core::limits::Limits;
use salon_core::session::{Join, MeetingFacts};
use salon_core::{AppId, MeetingId, ParticipantId, PeerId, Preset, PresetId, SessionId};

use crate::dice::Dice;
use crate::node::{Node, Said, Told};
use crate::store::{NODES, Store};

const BEGIN: i64 = 1_770_000_000_000;
const PEERS: usize = 5;
const TICK_MS: i64 = 100;
const KEEP_ALIVE_MS: i64 = 20_000;
const GRACE_MS: i64 = 5_000;
/// How long after the last trouble all is as it should be: a claim that was given up is taken by others, and looked for.
const CALM_AFTER_MS: i64 = 4_000;
const YEARS_MS: i64 = 3 * 365 * 24 * 3_600_000;

/// Somebody's socket.
#[derive(Debug, Clone, Copy)]
struct Socket {
    /// The node that runs the session.
    at: usize,
    /// The node that the socket reaches.
    through: usize,
    /// The task that it is bound to.
    task: (u64, u64),
}

pub struct World {
    dice: Dice,
    now: i64,
    store: Store,
    nodes: [Option<Node>; NODES],
    /// Until when each of them stands still.
    stopped: [i64; NODES],
    /// Those that do not hear the other nodes.
    deaf: [bool; NODES],
    runs: u64,
    sessions: usize,
    people: [Option<Socket>; PEERS],
    /// Sockets that are gone, which their sessions have yet to hear: whose, and whether on purpose.
    gone: Vec<(usize, Socket, bool)>,
    /// Until when a trouble lasts.
    over_at: i64,
    /// The most that was told of each session, by anybody: minutes, and people at once.
    told: BTreeMap<String, (f64, u32)>,
    /// How much of each session's record somebody was answered with.
    acknowledged: BTreeMap<String, u64>,
    /// Since when nothing has been wrong.
    calm_since: i64,
    data: PathBuf,
    /// What happened, told when a rule is broken.
    journal: Vec<String>,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.journal.iter().rev().take(120).rev().for_each(|line| eprintln!("{line}"));
        }
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let data = std::env::temp_dir().join(format!("salon-live-simulation-{}-{seed}", std::process::id()));
        std::fs::create_dir_all(&data).expect("a folder");
        let mut world = Self {
            dice: Dice::new(seed),
            now: BEGIN,
            store: Store::new(seed),
            nodes: Default::default(),
            stopped: [0; NODES],
            deaf: [false; NODES],
            runs: 0,
            sessions: 0,
            people: [None; PEERS],
            gone: Vec::new(),
            over_at: 0,
            told: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            calm_since: BEGIN,
            data,
            journal: Vec::new(),
        };
        (0..NODES).for_each(|node| world.start(node));
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
        self.stopped[node] = 0;
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
        let (stopped, now) = (self.stopped, self.now);
        self.store.tick(now);
        for node in self.nodes.iter_mut().flatten().filter(|node| stopped[node.me] <= now) {
            node.tick(self.now, &mut self.store);
        }
        // A pipe breaks with the node it goes through, and hangs while that stands still.
        for (peer, place) in self.people.iter_mut().enumerate() {
            let Some(socket) = place.take_if(|socket| self.nodes[socket.through].is_none()) else { continue };
            self.gone.push((peer, socket, false));
        }
        let (nodes, store) = (&mut self.nodes, &mut self.store);
        self.gone.retain(|(peer, socket, on_purpose)| {
            // With the task of its session everything it has yet to hear is gone.
            let Some(node) = nodes[socket.at].as_mut().filter(|node| node.task_id() == Some(socket.task)) else { return false };
            if node.is_busy() || !node.holds(now) || stopped[socket.at] > now {
                return true;
            }
            node.call(now, store, false, |session, now| {
                if *on_purpose { session.leave(now, &id(*peer)) } else { session.disconnect(now, &id(*peer)) }
            });
            false
        });
        self.bury();
        // Sockets of a session that was let go of are closed.
        for place in &mut self.people {
            let task = |socket: Socket| self.nodes[socket.at].as_ref().and_then(Node::task_id);
            place.take_if(|socket| task(*socket) != Some(socket.task));
        }
    }

    /// Those that died while they wrote.
    fn bury(&mut self) {
        for node in self.store.killed.drain(..) {
            self.nodes[node] = None;
            self.journal.push(format!("{} node {node} dies while it writes", self.now - BEGIN));
        }
        self.tick_people_of_the_gone();
    }

    fn trouble(&mut self) {
        if self.now >= self.over_at {
            self.store.reached_by = [true; NODES];
            (self.store.full, self.store.bad) = (false, false);
            self.deaf = [false; NODES];
            for node in 0..NODES {
                if self.nodes[node].is_none() && self.dice.one_in(20) {
                    self.start(node);
                }
            }
        }
        if !self.dice.one_in(120) {
            return;
        }
        self.calm_since = self.now;
        self.over_at = self.now + self.dice.pick(&[300, 1_900, 4_000, 5_900, 6_100, 8_500, 12_000, 40_000]);
        let (node, what) = (self.dice.roll(NODES), self.dice.roll(11));
        self.journal.push(format!("{} trouble {what} at node {node} until {}", self.now - BEGIN, self.over_at - BEGIN));
        match what {
            0 => self.store.reached_by[node] = false,
            1 => self.store.reached_by = [false; NODES],
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
            7 => self.stopped[node] = self.now + self.dice.pick(&[500, 1_000, 1_600, 2_000, 5_000]),
            8 => self.deaf[node] = true,
            9 => self.store.bad = true,
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
            place.take_if(|socket| self.nodes[socket.at].is_none());
        }
    }

    fn stop(&mut self, mut node: Node) {
        let me = node.me;
        for peer in 0..PEERS {
            if self.people[peer].is_some_and(|socket| socket.at == me) {
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
        let (peer, through) = (self.dice.roll(PEERS), self.dice.roll(NODES));
        match self.people[peer] {
            None if self.gone.iter().any(|(gone, ..)| *gone == peer) => {}
            None if self.dice.one_in(2) => self.comes(peer, through),
            None => {}
            Some(socket) => {
                self.people[peer] = None;
                self.gone.push((peer, socket, self.dice.one_in(2)));
            }
        }
    }

    /// Somebody's socket reaches a node, which runs the session or passes the socket on to the one that does.
    fn comes(&mut self, peer: usize, through: usize) {
        let Some(Said::Live(_) | Said::Nothing | Said::Elsewhere(_)) = self.says(through) else { return };
        let at = match self.says(through) {
            Some(Said::Elsewhere(owner)) if self.hears(through, owner) => owner,
            Some(Said::Elsewhere(_)) => return,
            _ => through,
        };
        let fresh = SessionId::parse(&format!("s{}", self.sessions)).unwrap();
        let join = join(peer, fresh.clone());
        let Some(node) = &mut self.nodes[at] else { return };
        let joined = node.call(self.now, &mut self.store, true, |session, now| {
            let _ = session.join(now, join);
        });
        if node.task.as_ref().and_then(|task| task.session.summary()).is_some_and(|live| live.session == fresh) {
            self.sessions += 1;
        }
        self.journal.push(format!("{} peer {peer} joins at node {at} through {through}: {joined}", self.now - BEGIN));
        if let Some(task) = node.task_id() {
            let socket = Socket { at, through, task };
            if joined {
                self.people[peer] = Some(socket);
            } else {
                // Who is not answered gives up.
                self.gone.push((peer, socket, false));
            }
        }
        if joined && let Some((session, seq)) = node.seq() {
            let acknowledged = self.acknowledged.entry(session).or_default();
            *acknowledged = seq.max(*acknowledged);
        }
        self.bury();
    }

    /// What a node says by itself; none while it is gone or stands still.
    fn says(&self, node: usize) -> Option<Said> {
        let node = self.nodes[node].as_ref().filter(|node| self.stopped[node.me] <= self.now)?;
        Some(node.ask(self.now, &self.store))
    }

    fn hears(&self, from: usize, to: usize) -> bool {
        !self.deaf[from] && !self.deaf[to]
    }

    /// What a node answers to those who ask it: what is elsewhere it has asked the owner for.
    fn answers(&self, node: usize) -> Option<Said> {
        match self.says(node)? {
            Said::Elsewhere(owner) if self.hears(node, owner) => match self.says(owner) {
                Some(Said::Live(told)) => Some(Said::Live(told)),
                _ => Some(Said::Unavailable),
            },
            Said::Elsewhere(_) => Some(Said::Unavailable),
            said => Some(said),
        }
    }

    /// Everybody asks.
    fn check(&mut self) {
        self.check_acknowledged();
        self.check_calm();
        let owners = (0..NODES).filter(|node| matches!(self.says(*node), Some(Said::Live(_)))).count();
        assert!(owners <= 1, "{owners} nodes answer as the owner");
        for node in 0..NODES {
            let Some(Said::Live(Told { session, most, minutes, .. })) = self.answers(node) else { continue };
            self.journal.push(format!("{} node {node}: {session} {minutes} {most}", self.now - BEGIN));
            let told = self.told.entry(session.clone()).or_default();
            let less = (told.0 - minutes) * 60_000.0;
            assert!(minutes >= told.0, "{less} ms less of {session} from node {node} than was told before");
            assert!(most >= told.1, "at most {most} at once in {session} from node {node}, after {}", told.1);
            *told = (minutes, most);
            let possible = (PEERS * 40) as f64 * (self.now - BEGIN) as f64 / 60_000.0;
            assert!(minutes <= possible, "nor are minutes made up: {minutes} of {session}");
        }
    }

    /// What somebody was answered is in the store, and whoever has the session goes by it.
    fn check_acknowledged(&self) {
        for (session, acknowledged) in &self.acknowledged {
            let stored = self.store.stored(session);
            assert!(stored >= Some(*acknowledged), "{acknowledged} events of {session} were acknowledged, {stored:?} are stored");
        }
        for node in (0..NODES).filter(|node| matches!(self.says(*node), Some(Said::Live(_)))) {
            let Some((session, seq)) = self.nodes[node].as_ref().and_then(Node::seq) else { continue };
            let acknowledged = self.acknowledged.get(&session).copied().unwrap_or_default();
            assert!(seq >= acknowledged, "node {node} has {seq} events of {session}, {acknowledged} were acknowledged");
        }
    }

    /// When nothing has been wrong for a while, every node answers, and counts exactly those who are connected.
    fn check_calm(&mut self) {
        let is_wrong = self.store.full
            || self.store.bad
            || self.store.reached_by != [true; NODES]
            || self.deaf != [false; NODES]
            || self.nodes.iter().any(Option::is_none)
            || self.stopped.iter().any(|until| *until > self.now)
            || self.nodes.iter().flatten().any(|node| node.is_behind());
        if is_wrong {
            self.calm_since = self.now;
        }
        if self.now - self.calm_since < CALM_AFTER_MS || !self.gone.is_empty() {
            return;
        }
        let connected = self.people.iter().flatten().count() as u32;
        for node in 0..NODES {
            let counted = match self.answers(node) {
                Some(Said::Live(told)) => told.live,
                Some(Said::Nothing) => 0,
                said => panic!("all is well for {CALM_AFTER_MS} ms, and node {node} says {said:?}"),
            };
            assert_eq!(counted, connected, "as many as are connected are counted on node {node}");
        }
    }

    /// All trouble is over and everybody has gone: soon nobody is counted, and then no session is live.
    fn calm_down(&mut self) {
        self.store.reached_by = [true; NODES];
        (self.store.full, self.store.bad) = (false, false);
        (self.deaf, self.stopped) = ([false; NODES], [0; NODES]);
        for node in 0..NODES {
            if self.nodes[node].is_none() {
                self.start(node);
            }
        }
        for peer in 0..PEERS {
            let Some(socket) = self.people[peer].take() else { continue };
            self.gone.push((peer, socket, false));
        }
        for _ in 0..20_000 / TICK_MS {
            self.now += TICK_MS;
            self.tick();
            self.check();
        }
        for node in 0..NODES {
            let counted = match self.answers(node) {
                Some(Said::Live(told)) => told.live,
                Some(Said::Nothing) => 0,
                said => panic!("all is well, and node {node} says {said:?}"),
            };
            assert_eq!(counted, 0, "people who are long gone are counted on node {node}");
        }
        for _ in 0..(GRACE_MS + KEEP_ALIVE_MS + 10_000) / TICK_MS {
            self.now += TICK_MS;
            self.tick();
            self.check();
        }
        for node in 0..NODES {
            assert_eq!(self.answers(node), Some(Said::Nothing), "a session in which nobody is has an end");
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
