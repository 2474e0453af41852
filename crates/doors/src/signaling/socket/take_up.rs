//! Sockets of another process: what it noted of each, and how they go on.
//! Next: `visit.rs`.

use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::close_code;
use salon_cluster::Piped;
use salon_core::{AppId, MeetingId, ParticipantId, PeerId, RecordingId, Timestamp};
use salon_handover::{Descriptor, Part, Unpacked};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::flows::robots;
use crate::signaling::socket::goodbye::{End, say_goodbye};
use crate::signaling::socket::note::Note;
use crate::signaling::socket::porch::Porch;
use crate::signaling::socket::visit::{Visitor, WentOn, visit};
use crate::signaling::wire::{self, Connection, Socket};
use crate::tokens::Bearer;

impl Porch {
    /// Goes on with sockets of another process; each is packed with what can become its connection. Returns when all of them are
    /// where they were.
    pub async fn take_up(
        self: &Arc<Self>,
        packed: Vec<Unpacked>,
        seat: impl Fn(OwnedFd) -> Option<(RawFd, Box<dyn Connection>)>,
    ) -> usize {
        let mut all = JoinSet::new();
        for packed in packed {
            let Some((visitor, connection, read)) = self.unpack(packed, &seat) else { continue };
            let (porch, (there, is_there)) = (self.clone(), oneshot::channel());
            let max = self.settings.message_bytes;
            tokio::spawn(async move {
                let open = porch.goes_on();
                let mut socket = wire::socket(connection, max, read).await;
                let taken = porch.tasks.track_future(porch.go_on(&mut socket, visitor, there)).await;
                drop((open, taken));
            });
            all.spawn(async move { is_there.await.is_ok() });
        }
        let mut count = 0;
        while let Some(done) = all.join_next().await {
            count += usize::from(done.unwrap_or(false));
        }
        count
    }

    /// Goes on with sockets that another process passed on to other nodes; answers with how many.
    pub fn take_up_piped<C: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self: &Arc<Self>,
        packed: Vec<Unpacked>,
        seat: impl Fn(OwnedFd) -> Option<C> + Clone + Send + 'static,
    ) -> usize {
        let piped = packed.into_iter().filter_map(Piped::unpack);
        let all = piped.map(|piped| {
            let (porch, seat, (cut, pipe)) = (self.clone(), seat.clone(), self.pipes.open(&piped.node));
            tokio::spawn(async move {
                let open = porch.goes_on();
                piped.go_on(seat, porch.passage.clone(), cut).await;
                drop((open, pipe));
            });
        });
        all.count()
    }

    fn unpack(
        &self,
        packed: Unpacked,
        seat: impl Fn(OwnedFd) -> Option<(RawFd, Box<dyn Connection>)>,
    ) -> Option<(Visitor, Box<dyn Connection>, Vec<u8>)> {
        let note: Note = serde_json::from_str(&packed.note).ok()?;
        let bearer = Bearer {
            app: AppId::parse(&note.app).ok()?,
            meeting: MeetingId::parse(&note.meeting).ok()?,
            participant: ParticipantId::parse(&note.participant).ok()?,
            let_in_until: note.let_in_until.map(Timestamp),
            recording: note.recording.and_then(|id| RecordingId::parse(&id).ok()),
        };
        let (descriptor, connection) = seat(packed.descriptors.into_iter().next()?)?;
        let visitor = Visitor {
            bearer,
            peer: PeerId::parse(&note.peer).ok()?,
            reached: note.reached,
            from: note.from,
            guest: self.passage.enter(Part::Socket),
            descriptor: Some(Descriptor(descriptor)),
            went_on: WentOn {
                came_along: true,
                joined: note.joined,
                removed: note.removed,
                hangup_in: note.hangup_in_ms.map(Duration::from_millis),
            },
        };
        Some((visitor, connection, packed.bytes))
    }

    async fn go_on(&self, socket: &mut Socket, visitor: Visitor, there: oneshot::Sender<()>) {
        // One that was put out hears no more than that.
        match robots::bearer_admission(&self.store, &visitor.bearer).await {
            Ok(Some(admission)) => visit(self, socket, admission, visitor, Some(there)).await,
            Ok(None) => say_goodbye(socket, End::REMOVED.close).await,
            Err(error) => {
                tracing::warn!(%error, "cannot look a participant up");
                say_goodbye(socket, Some((close_code::AGAIN, "try again in a moment"))).await;
            }
        }
    }
}
