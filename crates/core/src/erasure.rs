//! Takes a person out of a session's record: what they were called, and what they said in the chat. Or all of the chat.
//! Invariant: counts, minutes and places stay; the record has as many events as before, of kinds that every version reads.
//! What others said stays theirs, also where it was said to this person.
//! Next: the store, which rewrites what it keeps.

use std::collections::{HashMap, HashSet};

use crate::event::{ChatSent, EventBody};
use crate::ids::{ChatId, ParticipantId, PeerId};

/// The name of somebody who was erased.
pub const ERASED: &str = "erased";

/// Somebody who is to be taken out of a record, whose events are seen in order.
#[derive(Debug, Default)]
pub struct Erasure {
    participants: HashSet<ParticipantId>,
    /// What anybody said goes.
    all_chat: bool,
    peers: HashSet<PeerId>,
    /// What they said, and from which connection.
    messages: HashMap<ChatId, PeerId>,
}

impl Erasure {
    /// Of these participants, and of those who stand for them in connected meetings.
    pub fn new(participants: impl IntoIterator<Item = ParticipantId>) -> Self {
        Self { participants: participants.into_iter().collect(), ..Self::default() }
    }

    /// Of nobody, but of everything that was said in the chat.
    pub fn of_chat() -> Self {
        Self { all_chat: true, ..Self::default() }
    }

    /// What an event says without the person; `None` if it says nothing of them.
    pub fn of(&mut self, body: &EventBody) -> Option<EventBody> {
        match body {
            EventBody::PeerJoined(who) => {
                let is_theirs = self.participants.contains(&who.participant)
                    || who.origin.as_ref().is_some_and(|origin| self.participants.contains(origin));
                if !is_theirs {
                    return None;
                }
                self.participants.insert(who.participant.clone());
                self.peers.insert(who.peer.clone());
                let mut who = who.clone();
                (who.name, who.picture, who.custom_participant_id) = (ERASED.to_owned(), None, String::new());
                Some(EventBody::PeerJoined(who))
            }
            EventBody::PeerRenamed { peer, by_other, .. } if self.peers.contains(peer) => {
                Some(EventBody::PeerRenamed { peer: peer.clone(), name: ERASED.to_owned(), by_other: *by_other })
            }
            // As if they had deleted it before anybody read it.
            EventBody::ChatSent(sent) if self.said(sent) => Some(self.unsaid(sent)),
            EventBody::ChatKept(kept) if self.said(&kept.sent) => Some(self.unsaid(&kept.sent)),
            EventBody::ChatEdited { message, .. } => {
                let by = self.messages.get(message)?.clone();
                Some(EventBody::ChatDeleted { message: message.clone(), by })
            }
            EventBody::PollCreated(asked) if asked.by.as_ref().is_some_and(|by| self.participants.contains(by)) => {
                let mut asked = asked.clone();
                asked.by_name = ERASED.to_owned();
                Some(EventBody::PollCreated(asked))
            }
            EventBody::PollVoted { poll, participant, option, .. } if self.participants.contains(participant) => {
                let (poll, participant, name) = (poll.clone(), participant.clone(), ERASED.to_owned());
                Some(EventBody::PollVoted { poll, participant, name, option: *option })
            }
            _ => None,
        }
    }

    fn said(&self, sent: &ChatSent) -> bool {
        self.all_chat || self.participants.contains(&sent.author)
    }

    fn unsaid(&mut self, sent: &ChatSent) -> EventBody {
        self.messages.insert(sent.message.clone(), sent.peer.clone());
        EventBody::ChatDeleted { message: sent.message.clone(), by: sent.peer.clone() }
    }

    /// Their peers, as far as was seen.
    pub fn peers(&self) -> impl Iterator<Item = &PeerId> {
        self.peers.iter()
    }

    /// How many messages of theirs were seen.
    pub fn messages(&self) -> usize {
        self.messages.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ChatContent, ChatKept, ChatKind, Event, PeerJoined, PollCreated, SessionStarted};
    use crate::ids::{AppId, MeetingId, PollId, PresetId, SessionId};
    use crate::preset::Recorder;
    use crate::record::Record;
    use crate::time::Timestamp;

    fn participant(of: &str) -> ParticipantId {
        ParticipantId::parse(&format!("participant-{of}")).unwrap()
    }

    fn peer(of: &str) -> PeerId {
        PeerId::parse(&format!("peer-{of}")).unwrap()
    }

    fn joined(of: &str) -> EventBody {
        EventBody::PeerJoined(PeerJoined {
            peer: peer(of),
            participant: participant(of),
            custom_participant_id: format!("{of}@example.org"),
            name: format!("{of} Secret"),
            picture: Some(format!("https://example.org/{of}.png")),
            preset: PresetId::parse("preset").unwrap(),
            preset_name: "host".into(),
            hidden: false,
            recorder: Recorder::None,
            on_stage: true,
            origin: None,
        })
    }

    fn sent(of: &str, message: &str) -> ChatSent {
        ChatSent {
            message: ChatId::parse(message).unwrap(),
            peer: peer(of),
            author: participant(of),
            name: format!("{of} Secret"),
            parties: vec![],
            content: ChatContent { kind: ChatKind::Text, payload: format!("{of} says Secret things") },
        }
    }

    /// Ada and Bob do the same things.
    fn record() -> Vec<EventBody> {
        let id = |text: &str| ChatId::parse(text).unwrap();
        let mut events = vec![EventBody::SessionStarted(SessionStarted {
            session: SessionId::parse("session").unwrap(),
            meeting: MeetingId::parse("meeting").unwrap(),
            app: AppId::parse("app").unwrap(),
            title: "Standup".into(),
            keep_alive_ms: 60_000,
            started_at: Timestamp(1_000),
            parent: None,
        })];
        for of in ["ada", "bob"] {
            let kept = sent(of, &format!("kept-{of}"));
            let said_in = SessionId::parse("before").unwrap();
            events.push(EventBody::ChatKept(ChatKept {
                sent: kept,
                said_in,
                said_at: Timestamp(1),
                pinned: false,
                edited: false,
            }));
        }
        for of in ["ada", "bob"] {
            let said = format!("said-{of}");
            let edited = ChatContent { kind: ChatKind::Text, payload: format!("{of} meant Secret things") };
            let poll = PollId::parse(&format!("poll-{of}")).unwrap();
            events.extend([
                joined(of),
                EventBody::PeerRenamed { peer: peer(of), name: format!("{of} Secret II"), by_other: false },
                EventBody::ChatSent(sent(of, &said)),
                EventBody::ChatEdited { message: id(&said), content: edited },
                EventBody::ChatPinned { message: id(&said), pinned: true, by: peer(of) },
                EventBody::PollCreated(PollCreated {
                    poll: poll.clone(),
                    question: "Tea?".into(),
                    options: vec!["yes".into(), "no".into()],
                    anonymous: false,
                    hide_votes: false,
                    by_name: format!("{of} Secret"),
                    by: Some(participant(of)),
                }),
                EventBody::PollVoted { poll, participant: participant(of), name: format!("{of} Secret"), option: 1 },
            ]);
        }
        events
    }

    fn fold(events: &[EventBody]) -> Record {
        let events = events.iter().zip(1..).map(|(body, seq)| Event { seq, at: Timestamp(1_000), body: body.clone() });
        let mut events = events.peekable();
        let mut record = Record::begin(&events.next().unwrap()).expect("a start");
        events.for_each(|event| record.apply(&event));
        record
    }

    #[test]
    fn nothing_of_a_person_is_left_and_everything_of_the_others() {
        let before = record();
        let mut erasure = Erasure::new([participant("ada")]);
        let after: Vec<_> = before.iter().map(|body| erasure.of(body).unwrap_or_else(|| body.clone())).collect();
        let text = format!("{after:?}");
        for theirs in ["ada Secret", "ada says", "ada meant", "ada@example.org", "ada.png"] {
            assert!(!text.contains(theirs), "{theirs}: {text}");
        }
        for others in ["bob Secret", "bob Secret II", "bob says", "bob meant", "bob@example.org", "bob.png"] {
            assert!(text.contains(others), "{others}");
        }
        assert_eq!((erasure.messages(), erasure.peers().collect::<Vec<_>>()), (2, vec![&peer("ada")]));
        let (was, is) = (fold(&before), fold(&after));
        assert_eq!(was.summary(), is.summary(), "counts and minutes stay");
        assert_eq!(is.peers[&peer("ada")].who.name, ERASED);
        assert!(after.iter().all(|body| Erasure::new([participant("ada")]).of(body).is_none_or(|again| again == *body)));
    }

    #[test]
    fn of_the_chat_nothing_is_left_and_everything_of_the_people() {
        let mut erasure = Erasure::of_chat();
        let before = record();
        let after: Vec<_> = before.iter().map(|body| erasure.of(body).unwrap_or_else(|| body.clone())).collect();
        let text = format!("{after:?}");
        for of in ["ada", "bob"] {
            assert!(!text.contains(&format!("{of} says")) && !text.contains(&format!("{of} meant")), "{text}");
            assert!(text.contains(&format!("{of} Secret II")) && text.contains(&format!("{of}@example.org")), "{text}");
        }
        assert_eq!((erasure.messages(), fold(&after).chat.messages().count()), (4, 0));
        assert_eq!(fold(&before).peers, fold(&after).peers);
    }

    #[test]
    fn whoever_was_not_there_is_not_missed() {
        let mut erasure = Erasure::new([participant("cleo")]);
        assert!(record().iter().all(|body| erasure.of(body).is_none()));
    }
}
