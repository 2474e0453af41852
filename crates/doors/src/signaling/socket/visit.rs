//! One socket from its session's door to its end.
//! Next: `line.rs`, the loop between.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::ws::close_code;
use salon_core::PeerId;
use salon_handover::{Descriptor, Guest};
use salon_live::{Handle, Newcomer, Push, Removed, Unavailable};
use salon_store::Happening;
use tokio::sync::{mpsc, oneshot};

use crate::flows::facts::facts;
use crate::flows::presets;
use crate::signaling::caller::Caller;
use crate::signaling::socket::goodbye::say_goodbye;
use crate::signaling::socket::line::Line;
use crate::signaling::socket::porch::Porch;
use crate::signaling::wire::Socket;
use crate::tokens::Bearer;

/// Pushes that may wait for a slow client: a large meeting's worth of joins.
const PUSHES: usize = 4_096;

/// Who has a socket.
pub struct Visitor {
    pub bearer: Bearer,
    pub peer: PeerId,
    pub from: Option<IpAddr>,
    pub reached: Option<String>,
    pub guest: Guest,
    /// What is handed over to the next process, if anything can be.
    pub descriptor: Option<Descriptor>,
    pub went_on: WentOn,
}

/// What another process knew of a socket.
#[derive(Default)]
pub struct WentOn {
    /// It is to be found where that process left it.
    pub came_along: bool,
    pub joined: bool,
    pub removed: bool,
    pub hangup_in: Option<Duration>,
}

/// From the session that is found for a socket to its last frame. `there` hears when it is where it was.
pub async fn visit(
    porch: &Porch,
    socket: &mut Socket,
    admission: salon_store::Admission,
    visitor: Visitor,
    there: Option<oneshot::Sender<()>>,
) {
    let Visitor { bearer, peer, from, reached, guest, descriptor, went_on } = visitor;
    let Bearer { meeting, app, participant, let_in_until, recording } = bearer;
    // A preset that cannot be read lets nobody in, so it makes no host.
    let preset = presets::permissions(&admission.preset);
    let is_host = preset.as_ref().is_ok_and(|preset| preset.is_host());
    let newcomer = Newcomer { peer: peer.clone(), participant: participant.clone(), is_host };
    let (pushes, mut waiting) = mpsc::channel(PUSHES);
    let removed = Removed::default();
    let (handle, connection) = match attach(porch, &admission, &newcomer, (pushes, removed.clone())).await {
        Ok(Some(attached)) => attached,
        Ok(None) => {
            let why = "this peer id is taken, or the meeting has too many sockets";
            return say_goodbye(socket, Some((close_code::NORMAL, why))).await;
        }
        Err(Unavailable) => return say_goodbye(socket, Some((close_code::AGAIN, "try again in a moment"))).await,
    };
    if went_on.removed {
        removed.raise();
    }
    if went_on.came_along
        && let Ok(preset) = preset
    {
        porch.hub.take_up(&handle, &meeting, &newcomer, preset).await;
    }
    if let Some(there) = there {
        let _ = there.send(());
    }
    let caller = Caller {
        handle,
        meeting,
        app,
        participant,
        peer,
        let_in_until,
        recording,
        removed,
        from,
        reached,
        hub: porch.hub.clone(),
        media: porch.media.clone(),
        store: porch.store.clone(),
        clock: porch.clock.clone(),
        travel: porch.travel.clone(),
        recordings: porch.recordings.clone(),
        transcripts: porch.transcripts.clone(),
        livestreams: porch.livestreams.clone(),
        entrance: porch.entrance.clone(),
        waits: AtomicBool::default(),
    };
    let WentOn { joined, hangup_in, .. } = went_on;
    let line = Line::new((porch, &caller, socket), (guest, descriptor), (joined, hangup_in));
    let end = line.serve(&mut waiting).await;
    went_away(&caller).await;
    caller.handle.detach(caller.peer.clone(), connection, end.on_purpose).await;
    // Saying goodbye may take a while; the session need not wait for it.
    drop((caller, waiting));
    say_goodbye(socket, end.close).await;
}

/// Notes it if the socket's end is that of somebody's waiting.
async fn went_away(caller: &Caller) {
    let peer = caller.peer.clone();
    if caller.waits.load(Ordering::Relaxed) && caller.handle.call(move |session, _| session.is_waiting(&peer)).await == Ok(true) {
        caller.at_entrance(Happening::WentAway);
    }
}

/// Binds the socket to its session's task; one that retired or failed in between is replaced by a new one.
async fn attach(
    porch: &Porch,
    admission: &salon_store::Admission,
    newcomer: &Newcomer,
    (pushes, removed): (mpsc::Sender<Push>, Removed),
) -> Result<Option<(Handle, u64)>, Unavailable> {
    let facts = facts(&admission.meeting);
    for _ in 0..3 {
        let handle = porch.hub.open(&facts).await?.here()?;
        match handle.attach(newcomer.clone(), pushes.clone(), removed.clone()).await {
            Ok(connection) => return Ok(connection.map(|connection| (handle, connection))),
            Err(Unavailable) => tokio::task::yield_now().await,
        }
    }
    Err(Unavailable)
}
