//! Questions put to everyone: asking, voting, and what each person sees of the votes.
//! Invariant: nobody is told of a poll without leave to see polls, of counts that are hidden from those who have not
//! voted, or of who chose what in an anonymous poll. Who asks is who the server knows the caller to be.
//! Next: `stores.rs`.

use std::sync::Arc;

use crate::event::{Actor, EventBody, PollCreated};
use crate::ids::{PeerId, PollId};
use crate::limits::{MAX_POLL_OPTION_CHARS, MAX_POLL_OPTIONS, MAX_POLL_QUESTION_CHARS, MAX_POLLS};
use crate::session::rate::Act;
use crate::session::{Message, PollView, Refusal, Session};
use crate::time::Timestamp;

/// A question that somebody wants to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPoll {
    /// New in this session: ids are the server's own.
    pub id: PollId,
    pub question: String,
    pub options: Vec<String>,
    pub anonymous: bool,
    pub hide_votes: bool,
}

impl Session {
    /// Asks everyone. `by_name` is the name a call of the API goes by; a peer has its own.
    ///
    /// # Errors
    /// `NotAllowed`, `Incomplete` without a question or two options, `TooLarge`, `Full`.
    pub fn create_poll(&mut self, now: Timestamp, by: &Actor, by_name: &str, new: NewPoll) -> Result<PollView, Refusal> {
        self.tick(now);
        let record = self.live().ok_or(Refusal::NoSession)?;
        self.authorise(by, |preset| preset.polls.can_create)?;
        let blank = |text: &String| text.trim().is_empty();
        if blank(&new.question) || new.options.len() < 2 || new.options.iter().any(blank) {
            return Err(Refusal::Incomplete);
        }
        if new.question.chars().count() > MAX_POLL_QUESTION_CHARS
            || new.options.len() > MAX_POLL_OPTIONS
            || new.options.iter().any(|option| option.chars().count() > MAX_POLL_OPTION_CHARS)
        {
            return Err(Refusal::TooLarge);
        }
        if record.polls.all().len() >= MAX_POLLS || record.polls.get(&new.id).is_some() {
            return Err(Refusal::Full);
        }
        if let Actor::Peer(peer) = by {
            self.take_rate(peer, Act::PollCreate, 1)?;
        }
        let (by_name, by) = match by {
            Actor::Api => (by_name.to_string(), None),
            Actor::Peer(peer) => {
                let who = &self.present(peer).ok_or(Refusal::NotJoined)?.who;
                (who.name.clone(), Some(who.participant.clone()))
            }
        };
        let id = new.id.clone();
        self.emit(EventBody::PollCreated(PollCreated {
            poll: new.id,
            question: new.question,
            options: new.options,
            // Who sees the counts grow sees who votes.
            hide_votes: new.hide_votes || new.anonymous,
            anonymous: new.anonymous,
            by_name,
            by,
        }));
        self.tell_poll(&id, true);
        let poll = self.live().and_then(|record| record.polls.get(&id)).expect("it was created just now");
        Ok(PollView::of(poll, None))
    }

    /// Chooses one option, once.
    ///
    /// # Errors
    /// `NotAllowed`, `UnknownPoll` for a poll or option that is not there, `AlreadyVoted`.
    pub fn vote(&mut self, now: Timestamp, caller: &PeerId, poll: &PollId, option: u64) -> Result<(), Refusal> {
        self.tick(now);
        let permissions = self.caller(caller)?.preset.polls;
        // A poll that one may not see is not there.
        if !permissions.can_vote || !permissions.can_view {
            return Err(Refusal::NotAllowed);
        }
        let found = self.live().and_then(|record| record.polls.get(poll)).ok_or(Refusal::UnknownPoll)?;
        let option = usize::try_from(option).ok().filter(|option| *option < found.counts.len());
        let option = option.ok_or(Refusal::UnknownPoll)?;
        let who = &self.present(caller).ok_or(Refusal::NotJoined)?.who;
        let (participant, name) = (who.participant.clone(), who.name.clone());
        if found.votes.contains_key(&participant) {
            return Err(Refusal::AlreadyVoted);
        }
        self.take_rate(caller, Act::Vote, 1)?;
        self.emit(EventBody::PollVoted { poll: poll.clone(), participant, name, option });
        self.tell_poll(poll, false);
        Ok(())
    }

    /// All polls, oldest first, as the caller may see them.
    pub fn polls(&self, caller: &PeerId) -> Result<Vec<PollView>, Refusal> {
        if !self.caller(caller)?.preset.polls.can_view {
            return Err(Refusal::NotAllowed);
        }
        let viewer = self.present(caller).map(|peer| &peer.who.participant);
        let polls = self.live().into_iter().flat_map(|record| record.polls.all());
        Ok(polls.map(|poll| PollView::of(poll, viewer)).collect())
    }

    /// Tells all who may see polls, each what they may see of it. Those who see the same are told in a row.
    fn tell_poll(&mut self, id: &PollId, new: bool) {
        let Some(poll) = self.live().and_then(|record| record.polls.get(id)) else { return };
        let everyone = Arc::new(PollView::of(poll, None));
        let voter = poll.votes.keys().next();
        let voters = (!poll.asked.anonymous).then(|| voter.map(|voter| Arc::new(PollView::of(poll, Some(voter))))).flatten();
        let (mut first, mut then) = (Vec::new(), Vec::new());
        for (peer, _) in self.roster.iter().filter(|(_, member)| member.preset.polls.can_view) {
            let Some(viewer) = self.present(peer).map(|peer| &peer.who.participant) else { continue };
            if !poll.votes.contains_key(viewer) {
                then.push((peer.clone(), everyone.clone()));
            } else if let Some(voters) = &voters {
                first.push((peer.clone(), voters.clone()));
            } else {
                first.push((peer.clone(), Arc::new(PollView::of(poll, Some(viewer)))));
            }
        }
        for (peer, poll) in first.into_iter().chain(then) {
            self.send(peer, Message::Poll { poll, new });
        }
    }
}
