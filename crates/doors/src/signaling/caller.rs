//! Who sends a message, and what goes back.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use prost::bytes::Bytes;
use salon_core::{AppId, MeetingId, ParticipantId, PeerId, RecordingId, Session, Timestamp};
use salon_media::Owners;
use salon_recordings::{Livestreams, Recordings};
use salon_store::acting::{self, Acting, By, Outcome};
use salon_store::{Happening, Store};
use salon_transcripts::Transcripts;
use tokio::sync::watch;

use crate::entrance::{At, Entrance};
use crate::flows::travel::Travel;
use crate::signaling::trouble::Trouble;
use salon_live::Clock;
use salon_live::{Handle, Hub, Removed};

/// Who a socket speaks for, and what its messages are obeyed with. The participant and peer are proven by its token;
/// nothing in a message changes them.
pub struct Caller {
    pub handle: Handle,
    pub meeting: MeetingId,
    pub app: AppId,
    pub participant: ParticipantId,
    pub peer: PeerId,
    /// Until then its token opens the door of a waiting room.
    pub let_in_until: Option<Timestamp>,
    /// It is the robot of this recording.
    pub recording: Option<RecordingId>,
    /// Raised when the peer is put out: what its socket asks for after that does not happen.
    pub removed: Removed,
    /// The address that its socket came from.
    pub from: Option<IpAddr>,
    /// The port for nodes of the node that its socket reached, if that is another and may have its media.
    pub reached: Option<String>,

    pub hub: Hub,
    pub media: Arc<Owners>,
    pub store: Store,
    pub clock: Clock,
    pub travel: Travel,
    pub recordings: Recordings,
    pub transcripts: Transcripts,
    pub livestreams: Livestreams,
    pub entrance: Entrance,
    /// Waits to be let in, as far as its socket was told.
    pub waits: AtomicBool,
}

impl Caller {
    /// Notes what happened to it at the entrance of its meeting. Robots have none.
    pub fn at_entrance(&self, what: Happening) {
        if self.recording.is_none() {
            let Self { app, meeting, participant, peer, .. } = self;
            self.entrance.note(At { app, meeting, participant, peer }, what);
        }
    }

    /// What it does to others, for the audit log.
    pub fn acting(&self, what: &str) -> Arc<Acting> {
        Acting::new(acting::Act {
            account: None,
            app: Some(self.app.clone()),
            by: By::Participant(self.participant.clone()),
            what: format!("socket {what}"),
            subjects: vec![("meeting".to_owned(), self.meeting.to_string())],
            from: self.from.map(|from| from.to_string()),
            at: self.clock.now(),
            outcome: Outcome::Done,
        })
    }
}

/// Something to be done in a session.
pub type Act = Box<dyn FnOnce(&mut Session, Timestamp) + Send>;

/// What goes back to the sender.
pub enum Answer {
    /// Nothing: the client does not wait, or hears of it by a push.
    None,
    /// The event of the request, with this payload.
    Payload(Bytes),
    /// The same, but not before the moment that is shown, which may change; other requests are dealt with meanwhile.
    Later(watch::Receiver<Instant>, Bytes),
    /// Another event with the request's id, with this payload.
    Under(u32, Bytes),
    /// The event of the request, with this payload; and this happens once that is said and the client asks for nothing
    /// else for so long.
    Then { payload: Bytes, after: Duration, act: Act },
}

impl Answer {
    /// This message; and then, when the client has asked for nothing for so long, `act` happens.
    pub fn then(
        message: &impl prost::Message,
        after: Duration,
        act: impl FnOnce(&mut Session, Timestamp) + Send + 'static,
    ) -> Self {
        Self::Then { payload: message.encode_to_vec().into(), after, act: Box::new(act) }
    }
}

/// This message, as the answer to a request.
pub fn answer(message: &impl prost::Message) -> Result<Answer, Trouble> {
    Ok(Answer::Payload(message.encode_to_vec().into()))
}
