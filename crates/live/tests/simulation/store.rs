//! What stands for the database: the record of the meeting's sessions, who owns the live one, and which nodes live.
//! Invariant: as the real one's, an append names run and epoch, and a takeover the epoch it saw. On a bad line what is written
//! may be done without an answer, or later than whoever wrote it waits, or the writer dies meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use salon_core::event::EventBody;
use salon_core::{Event, Record, SessionId, Timestamp};
use salon_store::{NODE_DEAD_MS, VOUCHED_MS};

use crate::dice::Dice;

/// How many nodes there are.
pub const NODES: usize = 3;

/// Why nothing came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It cannot be reached, or takes no writes.
    Away,
    /// The session is another's.
    NotOwner,
    OwnerAlive,
}

/// The row of the last session.
#[derive(Debug, Clone)]
pub struct Row {
    pub owner: usize,
    pub run: u64,
    pub epoch: i64,
    /// When the owner was seen, if it left in good order or its name began anew.
    owner_seen: Option<i64>,
}

/// What is written when it arrives.
#[derive(Clone)]
enum Write {
    Renewal { node: usize, run: u64, own: i64 },
    Append { run: u64, epoch: i64, events: Vec<Event> },
    Takeover { node: usize, run: u64, from_epoch: i64, judges: bool, let_go: Option<i64> },
}

/// What becomes of something that is written on a bad line.
#[derive(Clone, Copy)]
enum Fate {
    Answered,
    Done,
    Late,
    Lost,
}

pub struct Store {
    pub events: Vec<Event>,
    /// Their fold.
    record: Option<Record>,
    pub row: Option<Row>,
    /// The run of each node and when it was last seen, by the store's clock and by its own.
    nodes: BTreeMap<usize, (u64, i64, i64)>,
    /// Which nodes reach it.
    pub reached_by: [bool; NODES],
    /// It takes no writes: its disk is full.
    pub full: bool,
    /// The lines to it are bad.
    pub bad: bool,
    /// Nodes that died while they wrote.
    pub killed: Vec<usize>,
    /// What is under way, and when it arrives.
    late: Vec<(i64, Write)>,
    /// Sessions that were before.
    past: BTreeSet<SessionId>,
    dice: Dice,
}

impl Store {
    pub fn new(seed: u64) -> Self {
        Self {
            events: Vec::new(),
            record: None,
            row: None,
            nodes: BTreeMap::new(),
            reached_by: [true; NODES],
            full: false,
            bad: false,
            killed: Vec::new(),
            late: Vec::new(),
            past: BTreeSet::new(),
            dice: Dice::new(!seed),
        }
    }

    fn write(&self, node: usize) -> Result<(), Trouble> {
        if self.reached_by[node] && !self.full { Ok(()) } else { Err(Trouble::Away) }
    }

    /// Writes, or what a bad line makes of it.
    fn send(&mut self, node: usize, now: i64, what: Write) -> Result<i64, Trouble> {
        self.write(node)?;
        let fates = [Fate::Answered, Fate::Done, Fate::Late, Fate::Lost];
        let fate = if self.bad { self.dice.pick(&fates) } else { Fate::Answered };
        if self.bad && self.dice.one_in(12) {
            self.killed.push(node);
        }
        match fate {
            Fate::Answered => return self.arrives(now, what),
            Fate::Done => drop(self.arrives(now, what)),
            Fate::Late => self.late.push((now + self.dice.pick(&[200, 700, 3_000, 9_000]), what)),
            Fate::Lost => {}
        }
        Err(Trouble::Away)
    }

    /// What was under way arrives.
    pub fn tick(&mut self, now: i64) {
        while let Some(at) = self.late.iter().position(|(due, _)| *due <= now) {
            let (_, what) = self.late.remove(at);
            let _ = self.arrives(now, what);
        }
    }

    fn arrives(&mut self, now: i64, what: Write) -> Result<i64, Trouble> {
        match what {
            Write::Renewal { node, run, own } => self.renewed(node, run, now, own).map(|()| 0),
            Write::Append { run, epoch, events } => self.appended(run, epoch, &events).map(|()| 0),
            Write::Takeover { node, run, from_epoch, judges, let_go } => {
                self.taken_over(node, run, from_epoch, now, judges, let_go)
            }
        }
    }

    pub fn register(&mut self, node: usize, run: u64, now: i64, own: i64) -> Result<(), Trouble> {
        self.write(node)?;
        let former = self.nodes.insert(node, (run, now, own));
        if let (Some(row), Some((former, at, seen))) = (&mut self.row, former)
            && row.owner == node
            && row.run == former
        {
            row.owner_seen.get_or_insert(seen + (now - at).clamp(0, VOUCHED_MS));
        }
        Ok(())
    }

    pub fn renew(&mut self, node: usize, run: u64, now: i64, own: i64) -> Result<(), Trouble> {
        self.send(node, now, Write::Renewal { node, run, own }).map(drop)
    }

    fn renewed(&mut self, node: usize, run: u64, now: i64, own: i64) -> Result<(), Trouble> {
        match self.nodes.get_mut(&node).filter(|(known, ..)| *known == run) {
            Some(seen) => {
                *seen = (run, now, seen.2.max(own));
                Ok(())
            }
            None => Err(Trouble::NotOwner),
        }
    }

    /// The live session's row and record.
    pub fn live(&self, node: usize) -> Result<Option<(Row, Record)>, Trouble> {
        if !self.reached_by[node] {
            return Err(Trouble::Away);
        }
        let record = self.record.as_ref().filter(|record| record.ended.is_none());
        Ok(record.map(|record| (self.row.clone().expect("a session has a row"), record.clone())))
    }

    /// Who has the live session.
    pub fn owner(&self, node: usize) -> Result<Option<usize>, Trouble> {
        if !self.reached_by[node] {
            return Err(Trouble::Away);
        }
        let is_live = self.record.as_ref().is_some_and(|record| record.ended.is_none());
        Ok(self.row.as_ref().filter(|_| is_live).map(|row| row.owner))
    }

    pub fn owner_seen(&self, row: &Row, now: i64) -> Timestamp {
        let vouched = |at: i64, own: i64| own + (now - at).clamp(0, VOUCHED_MS);
        let seen = self.nodes.get(&row.owner).filter(|(run, ..)| *run == row.run).map(|(_, at, own)| vouched(*at, *own));
        let updated = self.events.last().map_or(0, |event| event.at.0);
        Timestamp(row.owner_seen.or(seen).unwrap_or(updated))
    }

    pub fn append(&mut self, node: usize, run: u64, epoch: i64, now: i64, events: &[Event]) -> Result<(), Trouble> {
        self.send(node, now, Write::Append { run, epoch, events: events.to_vec() }).map(drop)
    }

    fn appended(&mut self, run: u64, epoch: i64, events: &[Event]) -> Result<(), Trouble> {
        // What is stored already, exactly as it is, may be said again.
        if events.iter().all(|event| self.events.get(event.seq as usize - 1) == Some(event)) {
            return Ok(());
        }
        if let Some(Event { body: EventBody::SessionStarted(started), .. }) = events.first() {
            let is_live = self.record.as_ref().is_some_and(|record| record.ended.is_none());
            let owner = self.nodes.iter().find(|(_, (latest, ..))| *latest == run).map(|(node, _)| *node);
            let Some(owner) = owner.filter(|_| !is_live && !self.past.contains(&started.session)) else {
                return Err(Trouble::NotOwner);
            };
            self.past.insert(started.session.clone());
            self.events.clear();
            self.row = Some(Row { owner, run, epoch, owner_seen: None });
        } else {
            let is_live = self.record.as_ref().is_some_and(|record| record.ended.is_none());
            let owned = self.row.as_ref().is_some_and(|row| (row.run, row.epoch) == (run, epoch));
            let follows = events.first().is_some_and(|event| event.seq == self.events.len() as u64 + 1);
            if !owned || !is_live || !follows {
                return Err(Trouble::NotOwner);
            }
            if let Some(row) = &mut self.row {
                row.owner_seen = None;
            }
        }
        for event in events {
            assert_eq!(event.seq, self.events.len() as u64 + 1, "events are numbered without gaps");
            self.events.push(event.clone());
            match &mut self.record {
                Some(record) if event.seq > 1 => record.apply(event),
                record => *record = Record::fold(&self.events),
            }
        }
        Ok(())
    }

    pub fn take_over(
        &mut self,
        node: usize,
        run: u64,
        from_epoch: i64,
        now: i64,
        judges: bool,
        let_go: Option<Timestamp>,
    ) -> Result<i64, Trouble> {
        let let_go = let_go.map(|at| at.0);
        self.send(node, now, Write::Takeover { node, run, from_epoch, judges, let_go })
    }

    fn taken_over(
        &mut self,
        node: usize,
        run: u64,
        from_epoch: i64,
        now: i64,
        judges: bool,
        let_go: Option<i64>,
    ) -> Result<i64, Trouble> {
        let is_live = self.record.as_ref().is_some_and(|record| record.ended.is_none());
        let is_latest = self.nodes.get(&node).is_some_and(|(latest, ..)| *latest == run);
        let seen = self.row.as_ref().map(|row| self.owner_seen(row, now).0);
        let row = self.row.as_mut().filter(|row| is_live && is_latest && row.epoch == from_epoch).ok_or(Trouble::NotOwner)?;
        let dead = self.nodes.get(&row.owner).is_none_or(|(_, seen, _)| judges && seen + NODE_DEAD_MS < now);
        if row.owner != node && !dead {
            return Err(Trouble::OwnerAlive);
        }
        *row = Row { owner: node, run, epoch: row.epoch + 1, owner_seen: let_go.or(seen) };
        Ok(row.epoch)
    }

    /// How much of a session is stored; all of one that is over.
    pub fn stored(&self, session: &str) -> Option<u64> {
        match &self.record {
            Some(record) if record.started.session.as_str() == session => Some(record.seq),
            _ => self.past.iter().any(|past| past.as_str() == session).then_some(u64::MAX),
        }
    }

    /// A node stops in good order.
    pub fn leave(&mut self, node: usize, run: u64, own: i64) {
        if self.write(node).is_ok() {
            if let Some(row) = self.row.as_mut().filter(|row| row.run == run) {
                row.owner_seen.get_or_insert(own);
            }
            self.nodes.remove(&node);
        }
    }
}
