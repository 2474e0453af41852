//! A thousand nodes with a hundred thousand sessions on one database, in virtual time: a rack is lost, and all are upgraded one after
//! the other. What nodes ask for takes the database its time, and what it has no time for comes late.
//! What must hold: nobody answers for a session that another node has; no node that lives loses its claim; all sessions are
//! somebody's again soon. `cargo test -p salon-live --test fleet -- --nocapture` prints how soon (docs/scale.md).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use salon_core::Timestamp;
use salon_live::{Lease, Luck, SinceBoot, in_own_order};

const NODES: usize = 1_000;
const SESSIONS: usize = 100_000;

/// Microseconds of a core of the database: a renewal, a look for what has no owner, a row of an answer, a look whose a session is,
/// and taking it over with reading it (docs/scale.md).
const RENEWAL_US: i64 = 250;
const LOOK_US: i64 = 1_200;
const ROW_US: i64 = 5;
const CHECK_US: i64 = 250;
const TAKE_US: i64 = 2_250;

/// Cores of the database.
const CORES: usize = 16;

const MS: i64 = 1_000;
const RENEW_EVERY_US: i64 = 300 * MS;
const LOOK_EVERY_US: i64 = 500 * MS;
const AT_ONCE: usize = 4;
const DEAD_AFTER_US: i64 = salon_store::NODE_DEAD_MS * MS;
/// How long a node is away while it is upgraded, and how many are at once.
const AWAY_US: i64 = 3_000 * MS;
const UPGRADED_AT_ONCE: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Renew { node: usize, run: u32 },
    Renewed { node: usize, run: u32, sent: i64 },
    Look { node: usize, run: u32 },
    Begin { node: usize, run: u32 },
    Check { node: usize, run: u32, session: usize, owner: (usize, u32) },
    Take { node: usize, run: u32, session: usize, owner: (usize, u32) },
    Upgrade,
    Back { node: usize },
}

struct Node {
    run: u32,
    is_there: bool,
    /// The row in the database: when it was seen last; none of one that left.
    seen: Option<i64>,
    lease: Lease,
    /// What it is about to take over, the next one last.
    orphans: Vec<(usize, (usize, u32))>,
    taking: usize,
    luck: Luck,
    looks: bool,
}

struct Fleet {
    now: i64,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    count: u64,
    nodes: Vec<Node>,
    /// Whose each session is by the database, and since when it has been nobody's who is there.
    owners: Vec<(usize, u32)>,
    of: Vec<Vec<usize>>,
    /// When each core of the database is free.
    cores: BinaryHeap<Reverse<i64>>,
    asked_us: i64,
    tries: u64,
    taken: u64,
    slowest_renewal_us: i64,
    /// In one order for all, as it was before each had its own.
    same_order: bool,
    upgraded: usize,
}

fn name(node: usize, run: u32) -> String {
    format!("node {node} run {run}")
}

impl Fleet {
    fn new(same_order: bool) -> Self {
        let node = |_| Node {
            run: 1,
            is_there: true,
            seen: Some(0),
            lease: Lease::shared(),
            orphans: Vec::new(),
            taking: 0,
            luck: Luck::default(),
            looks: false,
        };
        let mut fleet = Self {
            now: 0,
            events: BinaryHeap::new(),
            count: 0,
            nodes: (0..NODES).map(node).collect(),
            owners: (0..SESSIONS).map(|session| (session % NODES, 1)).collect(),
            of: (0..NODES).map(|node| (node..SESSIONS).step_by(NODES).collect()).collect(),
            cores: std::iter::repeat_n(Reverse(0), CORES).collect(),
            asked_us: 0,
            tries: 0,
            taken: 0,
            slowest_renewal_us: 0,
            same_order,
            upgraded: 0,
        };
        for node in 0..NODES {
            // Not all at once: they were not started at once.
            let at = node as i64 * RENEW_EVERY_US / NODES as i64;
            fleet.nodes[node].lease.renewed(SinceBoot(0), Timestamp(0));
            fleet.at(at, Event::Renew { node, run: 1 });
            fleet.at(at * 5 / 3, Event::Look { node, run: 1 });
        }
        fleet
    }

    fn at(&mut self, at: i64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((at, self.count, event)));
    }

    /// When the database has done what takes it so long.
    fn ask(&mut self, us: i64) -> i64 {
        let Reverse(free) = self.cores.pop().expect("it has cores");
        let done = free.max(self.now) + us;
        self.cores.push(Reverse(done));
        self.asked_us += us;
        done
    }

    fn is_here(&self, node: usize, run: u32) -> bool {
        self.nodes[node].is_there && self.nodes[node].run == run
    }

    fn holds(&self, node: usize) -> bool {
        self.nodes[node].lease.holds(SinceBoot(self.now / MS)).is_some()
    }

    fn is_gone(&self, (node, run): (usize, u32)) -> bool {
        let row = &self.nodes[node];
        row.run != run || row.seen.is_none_or(|seen| seen < self.now - DEAD_AFTER_US)
    }

    /// Whether a session is of somebody who answers for it.
    fn is_served(&self, session: usize) -> bool {
        let (node, run) = self.owners[session];
        self.is_here(node, run)
    }

    fn step(&mut self) {
        let Reverse((at, _, event)) = self.events.pop().expect("nodes always renew");
        self.now = at;
        match event {
            Event::Renew { node, run } if self.is_here(node, run) => {
                let (sent, done) = (self.now, self.ask(RENEWAL_US));
                self.slowest_renewal_us = self.slowest_renewal_us.max(done - sent);
                self.at(done, Event::Renewed { node, run, sent });
            }
            Event::Renewed { node, run, sent } if self.is_here(node, run) => {
                let now = self.now;
                let row = &mut self.nodes[node];
                row.seen = Some(now);
                row.lease.renewed(SinceBoot(sent / MS), Timestamp(sent / MS));
                self.at((sent + RENEW_EVERY_US).max(now), Event::Renew { node, run });
            }
            Event::Look { node, run } if self.is_here(node, run) => {
                self.at(self.now + LOOK_EVERY_US, Event::Look { node, run });
                if self.holds(node) && !std::mem::replace(&mut self.nodes[node].looks, true) {
                    let done = self.ask(LOOK_US);
                    self.at(done, Event::Begin { node, run });
                }
            }
            Event::Begin { node, run } if self.is_here(node, run) => self.begin(node, run),
            Event::Check { node, run, session, owner } if self.is_here(node, run) => {
                // As it was before, what others had was found out at the end.
                if self.owners[session] == owner || self.same_order {
                    let done = self.ask(TAKE_US);
                    self.at(done, Event::Take { node, run, session, owner });
                } else {
                    self.lost(node, run);
                }
            }
            Event::Take { node, run, session, owner } if self.is_here(node, run) => self.take(node, run, session, owner),
            Event::Upgrade if self.upgraded < NODES => {
                for node in self.upgraded..(self.upgraded + UPGRADED_AT_ONCE).min(NODES) {
                    // It leaves in good order: its sessions are free at once.
                    (self.nodes[node].is_there, self.nodes[node].seen) = (false, None);
                    self.at(self.now + AWAY_US, Event::Back { node });
                }
                self.upgraded += UPGRADED_AT_ONCE;
                self.at(self.now + AWAY_US + 500 * MS, Event::Upgrade);
            }
            Event::Back { node } => {
                let now = self.now;
                let row = &mut self.nodes[node];
                row.run += 1;
                let run = row.run;
                (row.is_there, row.seen, row.lease) = (true, Some(now), Lease::shared());
                (row.orphans, row.taking, row.looks) = (Vec::new(), 0, false);
                row.lease.renewed(SinceBoot(now / MS), Timestamp(now / MS));
                self.at(now + RENEW_EVERY_US, Event::Renew { node, run });
                self.at(now + LOOK_EVERY_US, Event::Look { node, run });
            }
            _ => {}
        }
    }

    /// It is told which sessions have no owner, estate by estate.
    fn begin(&mut self, node: usize, run: u32) {
        let gone = |of: &usize| {
            let row = &self.nodes[*of];
            *of != node && row.seen.is_none_or(|seen| seen < self.now - DEAD_AFTER_US) && !self.of[*of].is_empty()
        };
        let mut estates: Vec<(String, usize)> = (0..NODES).filter(gone).map(|of| (name(of, 0), of)).collect();
        if !self.same_order {
            in_own_order(&name(node, run), &mut estates, |(name, _)| name);
            // It reads on in the next when it is through with one; two are more than it comes to.
            estates.truncate(2);
        }
        let mut orphans = Vec::new();
        for (_, of) in estates {
            let mut left: Vec<(String, usize)> = self.of[of].iter().map(|session| (format!("s{session}"), *session)).collect();
            if !self.same_order {
                in_own_order(&name(node, run), &mut left, |(name, _)| name);
            }
            orphans.extend(left.into_iter().map(|(_, session)| (session, self.owners[session])));
        }
        if self.same_order {
            orphans.sort_unstable();
        }
        let read = self.ask(orphans.len() as i64 * ROW_US);
        orphans.reverse();
        let row = &mut self.nodes[node];
        (row.orphans, row.luck, row.taking) = (orphans, Luck::default(), 0);
        self.now = self.now.max(read);
        (0..AT_ONCE).for_each(|_| self.next(node, run));
        self.rest(node);
    }

    fn next(&mut self, node: usize, run: u32) {
        if !self.same_order && self.nodes[node].luck.is_out() {
            self.nodes[node].orphans.clear();
        }
        if let Some((session, owner)) = self.nodes[node].orphans.pop() {
            self.nodes[node].taking += 1;
            self.tries += 1;
            let done = self.ask(CHECK_US);
            self.at(done, Event::Check { node, run, session, owner });
        }
    }

    fn lost(&mut self, node: usize, run: u32) {
        self.nodes[node].taking -= 1;
        self.nodes[node].luck.note(false);
        self.next(node, run);
        self.rest(node);
    }

    fn rest(&mut self, node: usize) {
        if self.nodes[node].taking == 0 {
            self.nodes[node].looks = false;
        }
    }

    fn take(&mut self, node: usize, run: u32, session: usize, owner: (usize, u32)) {
        self.nodes[node].taking -= 1;
        let was_first = self.owners[session] == owner && self.is_gone(owner);
        self.nodes[node].luck.note(was_first);
        if was_first {
            let (of, former) = owner;
            let answers = self.is_here(of, former) && self.holds(of);
            assert!(!answers, "{session} is taken from {of}, which answers for it");
            self.taken += 1;
            self.of[of].retain(|known| *known != session);
            self.owners[session] = (node, run);
            self.of[node].push(session);
        }
        self.next(node, run);
        self.rest(node);
    }

    fn run_for(&mut self, us: i64) {
        let until = self.now + us;
        while self.events.peek().is_some_and(|Reverse((at, ..))| *at < until) {
            self.step();
        }
        self.now = until;
    }

    /// Runs until so many sessions at most are nobody's; answers with how long that took.
    fn until_left(&mut self, most: usize, within_us: i64) -> Option<i64> {
        let since = self.now;
        loop {
            if (0..SESSIONS).filter(|session| !self.is_served(*session)).count() <= most {
                return Some(self.now - since);
            }
            if self.now - since >= within_us {
                return None;
            }
            self.run_for(50 * MS);
        }
    }

    /// Nodes that are there and whose claim has run out.
    fn lapsed(&self) -> usize {
        (0..NODES).filter(|node| self.nodes[*node].is_there && !self.holds(*node)).count()
    }

    /// Forty nodes lose their power at once.
    fn lose_a_rack(&mut self) {
        (100..140).for_each(|node| self.nodes[node].is_there = false);
    }
}

#[test]
fn a_rack_is_lost_and_its_sessions_are_soon_everybody_elses() {
    let mut fleet = Fleet::new(false);
    fleet.run_for(3_000 * MS);
    let calm = fleet.asked_us as f64 / 3e6;
    fleet.lose_a_rack();
    let (before, lost) = (fleet.asked_us, 40 * SESSIONS / NODES);
    let half = fleet.until_left(lost / 2, 30_000 * MS).expect("half of them go on");
    let all = half + fleet.until_left(0, 30_000 * MS).expect("all of them go on");
    let busy = (fleet.asked_us - before) as f64 / all as f64;
    let most = fleet.of.iter().map(Vec::len).max().unwrap_or(0);
    println!(
        "a rack of 40 of {NODES} nodes, {lost} sessions: half go on after {:.1} s, all after {:.1} s; {} tries for {}, a renewal takes {} ms \
         at most, {calm:.1} cores of the database before and {busy:.1} meanwhile, {most} sessions on one node",
        half as f64 / 1e6,
        all as f64 / 1e6,
        fleet.tries,
        fleet.taken,
        fleet.slowest_renewal_us / MS,
    );
    assert_eq!(fleet.lapsed(), 0, "a claim has run out");
    assert_eq!(fleet.taken, lost as u64);
    assert!(most < 2 * SESSIONS / NODES, "one has taken {most}");
}

/// Why each has an order of its own.
#[test]
fn in_one_order_for_all_the_database_would_be_asked_in_vain() {
    let tries = |same_order| {
        let mut fleet = Fleet::new(same_order);
        fleet.run_for(1_000 * MS);
        fleet.lose_a_rack();
        fleet.run_for(4_000 * MS);
        (fleet.tries as f64 / fleet.taken.max(1) as f64, fleet.taken)
    };
    let ((own, taken), (same, taken_so)) = (tries(false), tries(true));
    println!(
        "tries for each session: {own:.1} in orders of their own, {same:.1} in one for all; taken in 2.5 s {taken} and {taken_so}"
    );
    assert!(own * 10.0 < same, "{own} {same}");
}

#[test]
fn all_nodes_are_upgraded_one_after_the_other() {
    let mut fleet = Fleet::new(false);
    fleet.run_for(1_000 * MS);
    fleet.at(fleet.now, Event::Upgrade);
    let (mut worst, mut nobodys) = (0, 0);
    while fleet.upgraded < NODES {
        fleet.run_for(100 * MS);
        let served = (0..SESSIONS).filter(|session| fleet.is_served(*session)).count();
        nobodys = if served < SESSIONS { nobodys + 100 } else { 0 };
        worst = worst.max(nobodys);
        assert_eq!(fleet.lapsed(), 0, "a claim has run out");
    }
    let took = fleet.now;
    fleet.until_left(0, 30_000 * MS).expect("all of them go on");
    println!(
        "{NODES} nodes upgraded {UPGRADED_AT_ONCE} at a time in {:.0} s: some session is nobody's for {worst} ms at most in a row, \
         {} tries for {}, a renewal takes {} ms at most",
        took as f64 / 1e6,
        fleet.tries,
        fleet.taken,
        fleet.slowest_renewal_us / MS,
    );
    assert!(worst < 5_000, "{worst} ms");
}
