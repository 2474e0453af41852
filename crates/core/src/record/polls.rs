//! The questions of a session and who chose what.
//! Invariant: a participant has at most one vote in a poll: a second one changes nothing.
//! Next: `session/polls.rs`, who may ask, vote and see.

use std::collections::BTreeMap;

use crate::event::PollCreated;
use crate::ids::{ParticipantId, PollId};

/// A question and its votes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    pub asked: PollCreated,
    pub votes: BTreeMap<ParticipantId, Vote>,
    /// How many chose each option: the sums of `votes`.
    pub counts: Vec<u64>,
}

/// One participant's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// The voter's name at the time.
    pub name: String,
    pub option: usize,
}

/// The polls of a session, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Polls {
    all: Vec<Poll>,
    places: BTreeMap<PollId, usize>,
}

impl Polls {
    pub fn all(&self) -> &[Poll] {
        &self.all
    }

    pub fn get(&self, id: &PollId) -> Option<&Poll> {
        self.all.get(*self.places.get(id)?)
    }

    pub(super) fn ask(&mut self, asked: &PollCreated) {
        if self.places.contains_key(&asked.poll) {
            return;
        }
        self.places.insert(asked.poll.clone(), self.all.len());
        let counts = vec![0; asked.options.len()];
        self.all.push(Poll { asked: asked.clone(), votes: BTreeMap::new(), counts });
    }

    pub(super) fn vote(&mut self, id: &PollId, voter: &ParticipantId, name: &str, option: usize) {
        let Some(poll) = self.places.get(id).and_then(|place| self.all.get_mut(*place)) else { return };
        let Some(count) = poll.counts.get_mut(option).filter(|_| !poll.votes.contains_key(voter)) else { return };
        *count += 1;
        poll.votes.insert(voter.clone(), Vote { name: name.to_string(), option });
    }
}
