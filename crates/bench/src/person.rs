//! Somebody under load: joins as the web SDK does, then publishes, watches, or both, on the media threads of a run.
//! Next: `publisher.rs` and `subscriber.rs`, what they do with packets.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use salon_peer::sdp::Kind;
use salon_peer::{Identity, Invite, Media, Peer, Role, Track, Transport, Way};
use tokio::sync::oneshot;

use crate::plan::Rates;
use crate::publisher::Publisher;
use crate::subscriber::Subscriber;

/// ICE and DTLS may take this long on a machine that is busy with everybody else's.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// Clients of this process, told apart.
fn seed() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Somebody who has opened a socket. Leaves when dropped.
pub struct Person {
    peer: Peer,
    started: Instant,
    receiving: Option<Receiving>,
}

struct Receiving {
    transport: Transport,
    ready: oneshot::Receiver<()>,
    /// Comes with the moment at which the first key frame was complete and opened.
    key_frame: oneshot::Receiver<Instant>,
}

impl Person {
    pub async fn open(host: &str, invite: Invite) -> anyhow::Result<Self> {
        let started = Instant::now();
        Ok(Self { peer: Peer::open(host, invite).await?, started, receiving: None })
    }

    /// Joins and publishes a camera, and a microphone if `rates` has a voice. Answers once it sends.
    pub async fn publish(&self, identity: &Identity, media: &Media<Publisher>, rates: Rates) -> anyhow::Result<Vec<Track>> {
        let voice = (rates.audio_pps > 0.0).then_some(Kind::Audio);
        let kinds: Vec<Kind> = [Kind::Video].into_iter().chain(voice).collect();
        publish(&self.peer, identity, media, &kinds, |start| Publisher::new(seed(), rates, start)).await
    }

    /// Opens the receiving connection; joins, unless it has joined to publish. One packet in `open_every` will be opened.
    pub async fn prepare_to_watch(
        &mut self,
        identity: &Identity,
        media: &Media<Subscriber>,
        open_every: u64,
        joined: bool,
    ) -> anyhow::Result<()> {
        let (transport, connection) = self.peer.connect(identity, Way::Receiving).await?;
        let (waiting, key_frame) = oneshot::channel();
        let ready = media.carry(connection, Subscriber::new(seed(), open_every, waiting))?;
        self.receiving = Some(Receiving { transport, ready, key_frame });
        if !joined {
            self.peer.enter().await?;
        }
        Ok(())
    }

    /// Joins with a connection that could receive, and waits until it is there; answers with when the join was answered.
    pub async fn arrive(&self, identity: &Identity, media: &Media<Subscriber>) -> anyhow::Result<Instant> {
        let (_, connection) = self.peer.connect(identity, Way::Receiving).await?;
        let (waiting, _) = oneshot::channel();
        let ready = media.carry(connection, Subscriber::new(seed(), 1, waiting))?;
        self.peer.enter().await?;
        let answered = Instant::now();
        connected(ready).await?;
        Ok(answered)
    }

    /// The peer's id.
    pub fn id(&self) -> &str {
        self.peer.id()
    }

    /// Takes tracks; answers with the time from opening the socket to the first whole key frame.
    pub async fn watch(&mut self, tracks: &[Track]) -> anyhow::Result<Duration> {
        let receiving = self.receiving.take().context("it watches already, or has no connection")?;
        let Receiving { transport, ready, key_frame } = receiving;
        self.peer.take(&transport, tracks).await?;
        connected(ready).await?;
        let picture = tokio::time::timeout(CONNECT_WITHIN, key_frame).await;
        let at = picture.context("no key frame came")?.context("a media thread has ended")?;
        Ok(at.saturating_duration_since(self.started))
    }
}

/// Joins and publishes tracks of these kinds, which `sender` sends once it is told that the server knows of them.
pub async fn publish<R: Role>(
    peer: &Peer,
    identity: &Identity,
    media: &Media<R>,
    kinds: &[Kind],
    sender: impl FnOnce(oneshot::Receiver<()>) -> R,
) -> anyhow::Result<Vec<Track>> {
    let (transport, connection) = peer.connect(identity, Way::Sending).await?;
    let (start, starts) = oneshot::channel();
    let ready = media.carry(connection, sender(starts))?;
    peer.enter().await?;
    let tracks = peer.publish(&transport, kinds).await?;
    connected(ready).await?;
    start.send(()).ok().context("a media thread has ended")?;
    Ok(tracks)
}

async fn connected(ready: oneshot::Receiver<()>) -> anyhow::Result<()> {
    let ready = tokio::time::timeout(CONNECT_WITHIN, ready).await.context("ICE and DTLS do not come to an end")?;
    ready.context("the media connection has failed")
}
