//! What a session's events are to those outside: it began, somebody came, somebody left, it ended.
//! Invariant: a notice is of one event, and says what the record adds up to right after it; equal records give equal notices.
//! Robots and hidden people are no news: nobody outside counts them either.
//! Next: `session.rs`, from which notices leave together with their events; the store keeps the two in one transaction.

use crate::event::{EndReason, Event, EventBody, RecordingKind};
use crate::ids::{AppId, MeetingId, PeerId, RecordingId, SessionId};
use crate::record::{Peer, Record};
use crate::time::Timestamp;

/// One event, as those outside are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub session: SessionId,
    pub meeting: MeetingId,
    pub app: AppId,
    /// The meeting's title when the session began; empty if it has none.
    pub title: String,
    pub started_at: Timestamp,
    pub created_at: Timestamp,
    /// The number of the event; of a recording, how often its status changed before.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    pub news: News,
}

/// What a [`Notice`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    Started,
    Joined(Visit),
    /// With the moment at which it was last there.
    Left(Visit, Timestamp),
    Ended {
        at: Timestamp,
        reason: EndReason,
    },
    /// The chat of a session that is over may be had.
    ChatSynced {
        ended_at: Timestamp,
    },
    /// A recording stands otherwise, which is no event of the session: it may be over by then.
    Recording(Box<RecordingReport>),
    /// A livestream does.
    Livestream(LivestreamReport),
    /// What was said in a session that is over is written down, and may be had for a while.
    Transcript(Written),
    /// And so is what it came to.
    Summary(Written),
}

/// What was written of a session that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub ended_at: Timestamp,
    /// Until when it may be had.
    pub expires_at: Timestamp,
}

/// How a recording stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingReport {
    pub recording: RecordingId,
    pub kind: RecordingKind,
    pub status: RecordingStatus,
    /// The name of its file, or the pattern of those of tracks.
    pub name: String,
    pub started_at: Option<Timestamp>,
    pub stopped_at: Option<Timestamp>,
    /// Of all its files.
    pub bytes: Option<u64>,
    /// Pauses left out.
    pub recorded_ms: i64,
    /// The names of the files that may be had.
    pub video: Option<String>,
    pub audio: Option<String>,
    pub tracks: Vec<String>,
    /// Until when.
    pub expires_at: Option<Timestamp>,
}

/// How a livestream stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivestreamReport {
    pub livestream: RecordingId,
    pub status: LivestreamStatus,
    pub playback_url: String,
    /// What is streamed comes from elsewhere.
    pub is_ingested: bool,
    /// It is of a meeting. One that is not has its own id in place of the meeting's, and its run's in place of the session's.
    pub is_of_meeting: bool,
}

/// What has become of a livestream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LivestreamStatus {
    /// Asked for; nothing can be watched yet.
    Invoked,
    Live,
    /// It is over.
    Idle,
    /// It came to nothing, or to an end that nobody wanted.
    Errored,
}

/// What has become of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingStatus {
    /// Asked for; nothing is recorded yet.
    Invoked,
    Recording,
    Paused,
    /// Its last moment is recorded, and its files are on their way.
    Uploading,
    Uploaded,
    /// There is nothing of it.
    Errored,
}

/// One stay of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    pub peer: PeerId,
    /// What it was called when it came.
    pub name: String,
    pub custom_participant_id: String,
    pub joined_at: Timestamp,
}

impl Notice {
    /// What it is of: those of one subject are told in order.
    pub fn subject(&self) -> &str {
        match &self.news {
            News::Recording(report) => report.recording.as_str(),
            News::Livestream(report) => report.livestream.as_str(),
            _ => self.session.as_str(),
        }
    }

    /// The notices of the last event folded into `record`; none if it is no news.
    pub fn of(record: &Record, event: &Event) -> impl Iterator<Item = Self> + use<> {
        let first = Self::first_of(record, event);
        let has_chat = || record.chat.messages().any(|message| !message.is_private());
        // In a place of its own: nobody hears of it before the end.
        let chat = first.clone().and_then(|first| match first.news {
            News::Ended { at, .. } if has_chat() => {
                Some(Self { seq: first.seq + 1, news: News::ChatSynced { ended_at: at }, ..first })
            }
            _ => None,
        });
        first.into_iter().chain(chat)
    }

    fn first_of(record: &Record, event: &Event) -> Option<Self> {
        let news = match &event.body {
            EventBody::SessionStarted(_) => News::Started,
            EventBody::PeerJoined(who) => News::Joined(visit(record.peers.get(&who.peer)?)?),
            EventBody::PeerLeft { peer, left_at, .. } => News::Left(visit(record.peers.get(peer)?)?, *left_at),
            EventBody::SessionEnded { ended_at, reason } => News::Ended { at: *ended_at, reason: *reason },
            _ => return None,
        };
        let started = &record.started;
        Some(Self {
            session: started.session.clone(),
            meeting: started.meeting.clone(),
            app: started.app.clone(),
            title: started.title.clone(),
            started_at: started.started_at,
            created_at: record.created_at,
            seq: event.seq,
            at: event.at,
            news,
        })
    }
}

/// The latest stay of a peer, if it counts.
fn visit(peer: &Peer) -> Option<Visit> {
    let (joined_at, _) = peer.stays.last().filter(|_| peer.counts())?;
    Some(Visit {
        peer: peer.who.peer.clone(),
        name: peer.came_as().to_owned(),
        custom_participant_id: peer.who.custom_participant_id.clone(),
        joined_at: *joined_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{LeaveReason, PeerJoined, SessionStarted};
    use crate::preset::Recorder;

    fn started() -> EventBody {
        EventBody::SessionStarted(SessionStarted {
            session: SessionId::parse("s").expect("an id"),
            meeting: MeetingId::parse("m").expect("an id"),
            app: AppId::parse("a").expect("an id"),
            title: "Planning".to_owned(),
            keep_alive_ms: 0,
            started_at: Timestamp(1),
            parent: None,
        })
    }

    /// What is told of these events, as lines.
    fn told(events: Vec<EventBody>) -> Vec<String> {
        let mut record: Option<Record> = None;
        let mut lines = Vec::new();
        for (body, seq) in std::iter::once(started()).chain(events).zip(1..) {
            let event = Event { seq, at: Timestamp(seq as i64 * 10), body };
            match &mut record {
                Some(record) => record.apply(&event),
                None => record = Record::begin(&event),
            }
            let who = |visit: &Visit| format!("{} since {}", visit.name, visit.joined_at.0);
            lines.extend(Notice::of(record.as_ref().expect("it has begun"), &event).map(|notice| {
                let seq = notice.seq;
                match &notice.news {
                    News::Started => format!("{seq} started"),
                    News::Joined(visit) => format!("{seq} joined {}", who(visit)),
                    News::Left(visit, at) => format!("{seq} left {} at {}", who(visit), at.0),
                    News::Ended { at, .. } => format!("{seq} ended at {}", at.0),
                    News::ChatSynced { ended_at } => format!("{seq} chat of a session that ended at {}", ended_at.0),
                    News::Recording(_) | News::Livestream(_) | News::Transcript(_) | News::Summary(_) => {
                        unreachable!("no event of a session")
                    }
                }
            }));
        }
        lines
    }

    fn joined(peer: &str, hidden: bool, recorder: Recorder) -> EventBody {
        EventBody::PeerJoined(PeerJoined {
            peer: PeerId::parse(peer).expect("an id"),
            participant: crate::ids::ParticipantId::parse(peer).expect("an id"),
            custom_participant_id: String::new(),
            name: peer.to_uppercase(),
            picture: None,
            preset: crate::ids::PresetId::parse("p").expect("an id"),
            preset_name: String::new(),
            hidden,
            recorder,
            on_stage: true,
            origin: None,
        })
    }

    fn left(peer: &str, at: i64) -> EventBody {
        EventBody::PeerLeft { peer: PeerId::parse(peer).expect("an id"), left_at: Timestamp(at), reason: LeaveReason::Lost }
    }

    #[test]
    fn what_happens_in_a_session_is_of_it() {
        let event = Event { seq: 1, at: Timestamp(1), body: started() };
        let record = Record::begin(&event).expect("it begins");
        let notice = Notice::of(&record, &event).next().expect("news");
        assert_eq!(notice.subject(), "s");
    }

    #[test]
    fn the_chat_of_a_session_is_news_once_it_is_over_if_there_is_any() {
        let said = |parties: &[&str]| {
            let parties = parties.iter().map(|party| crate::ids::ParticipantId::parse(party).expect("an id")).collect();
            EventBody::ChatSent(crate::event::ChatSent {
                message: crate::ids::ChatId::parse("c").expect("an id"),
                author: crate::ids::ParticipantId::parse("ann").expect("an id"),
                peer: PeerId::parse("ann").expect("an id"),
                name: "ANN".to_owned(),
                parties,
                content: crate::event::ChatContent { kind: crate::event::ChatKind::Text, payload: "hi".to_owned() },
            })
        };
        let end = || EventBody::SessionEnded { ended_at: Timestamp(99), reason: EndReason::AllLeft };
        let of = |body: EventBody| told(vec![body, end()]).split_off(1);
        assert_eq!(of(said(&[])), ["3 ended at 99", "4 chat of a session that ended at 99"]);
        assert_eq!(of(said(&["ann", "bo"])), ["3 ended at 99"], "what was said in private is nobody's");
    }

    #[test]
    fn people_come_and_go_and_robots_do_not() {
        let renamed =
            EventBody::PeerRenamed { peer: PeerId::parse("ann").expect("an id"), name: "Annie".into(), by_other: false };
        let lines = told(vec![
            joined("ann", false, Recorder::None),
            joined("spy", true, Recorder::None),
            joined("robot", false, Recorder::Recorder),
            renamed,
            left("spy", 45),
            left("ann", 55),
            left("robot", 60),
            joined("ann", false, Recorder::None),
            left("ann", 95),
            left("nobody", 95),
            EventBody::SessionEnded { ended_at: Timestamp(99), reason: EndReason::AllLeft },
        ]);
        let expected = [
            "1 started",
            "2 joined ANN since 20",
            "7 left ANN since 20 at 55",
            "9 joined ANN since 90",
            "10 left ANN since 90 at 95",
            "12 ended at 99",
        ];
        assert_eq!(lines, expected);
    }
}
