//! What stands for the database: the record of the meeting's sessions, who owns the live one, and which nodes live.
//! Invariant: as the real one's, an append names run and epoch, and a takeover the epoch it saw.

use std::collections::BTreeMap;

use salon_core::{Event, Record, Timestamp};
use salon_store::{NODE_DEAD_MS, VOUCHED_MS};

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

#[derive(Default)]
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
}

impl Store {
    fn write(&self, node: usize) -> Result<(), Trouble> {
        if self.reached_by[node] && !self.full { Ok(()) } else { Err(Trouble::Away) }
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
        self.write(node)?;
        match self.nodes.get_mut(&node).filter(|(known, ..)| *known == run) {
            Some(seen) => {
                *seen = (run, now, own);
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

    pub fn append(&mut self, node: usize, run: u64, epoch: i64, events: &[Event]) -> Result<(), Trouble> {
        self.write(node)?;
        for event in events {
            if event.seq == 1 {
                if self.record.as_ref().is_some_and(|record| record.ended.is_none()) {
                    return Err(Trouble::NotOwner);
                }
                self.events.clear();
                self.row = Some(Row { owner: node, run, epoch: 1, owner_seen: None });
            } else {
                let owned = self.row.as_ref().is_some_and(|row| (row.owner, row.run, row.epoch) == (node, run, epoch));
                if !owned {
                    return Err(Trouble::NotOwner);
                }
                assert_eq!(event.seq, self.events.last().expect("it goes on").seq + 1, "events are numbered without gaps");
            }
            self.events.push(event.clone());
            match &mut self.record {
                Some(record) if event.seq > 1 => record.apply(event),
                record => *record = Record::fold(&self.events),
            }
        }
        Ok(())
    }

    pub fn take_over(&mut self, node: usize, run: u64, from_epoch: i64, now: i64, judges: bool) -> Result<i64, Trouble> {
        self.write(node)?;
        let row = self.row.as_mut().expect("there is one to take");
        if row.epoch != from_epoch {
            return Err(Trouble::NotOwner);
        }
        let dead = self.nodes.get(&row.owner).is_none_or(|(_, seen, _)| judges && seen + NODE_DEAD_MS < now);
        if row.owner != node && !dead {
            return Err(Trouble::OwnerAlive);
        }
        *row = Row { owner: node, run, epoch: row.epoch + 1, owner_seen: None };
        Ok(row.epoch)
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
