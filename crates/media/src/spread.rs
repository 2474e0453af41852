//! A meeting's media over several nodes: the node with the session may have people's media at the node that their socket reached.
//! It asks that for their connections, as if it were a further part of its own media server, and the relays of both carry media.
//! Owns the connections with other nodes. Invariant: when one is lost both sides say what they still have over the next; when
//! there is none in time, what was over it ends on both sides.
//! Next: `spread/link.rs`, the side that asks; `spread/lodging.rs`, the one that is asked.

mod link;
mod lodging;
mod talk;
#[cfg(test)]
mod tests;
mod words;

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use salon_cluster::{Nodes, look_up};
use salon_handover::{Part, Passage, Phase};
use salon_sfu::{Connection, Error, Event, Half, ProducerId, Relaying, RoomId, Sfu, TransportId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub use self::link::Link;
pub(crate) use self::link::{Asked, Conversation};
pub(crate) use self::lodging::{Deserted, Lodging, note_of, who};
pub use self::lodging::{Find, Whereabouts};
use self::talk::{UNSENT, WORDS, Ways, talk};
pub(crate) use self::words::{Answer, Ask, Home, Lodged, Refusal};
use self::words::{Hello, LINES_AT_ONCE, VERSION, Welcome, Word, read, write};

/// Where nodes talk to each other of media.
pub const PATH: &str = "/internal/media";

/// How long it may take until packets go to another node and back, the connection included.
const REACHED_WITHIN: Duration = Duration::from_millis(1_500);

/// How long a node that was lost may take to be there again: longer than it takes to become another program, or to start. What
/// comes in there stands still meanwhile.
pub(crate) const HELD_FOR: Duration = Duration::from_secs(3);

/// How soon it is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How long a node that could not be reached, or was lost, gets nobody's media.
const UNFIT_FOR: Duration = Duration::from_secs(10);

/// How long a connection may say nothing at first.
const HELLO_WITHIN: Duration = Duration::from_secs(2);

/// What one node may ask at a time; more waits.
const ASKS: usize = 1_024;

/// Meetings that one node tells another of at a time.
pub(crate) const ROOMS_AT_ONCE: usize = 256;

/// Nodes that are known. Who is not reached is forgotten when there are more.
const NODES: usize = 1_000;

/// What the owners of people's connections hear of other nodes.
pub enum Heard {
    /// Of a connection there.
    Event(Event),
    /// There is a connection with a node, over which nothing else is asked before `done`.
    Up { at: Link, over: Conversation, done: oneshot::Sender<()> },
    /// It is lost, and there may be another soon.
    Away(Link),
    /// There is none any more, and what people had there is lost.
    Lost(Link),
    /// Sessions that are here have connections there which nobody asks for.
    Lodged { at: Link, rooms: Vec<RoomId>, done: oneshot::Sender<()> },
    /// The node behind a connection does not reach another, and these connections there do not get what comes in at that one.
    Parted { at: Link, from: String, transports: Vec<TransportId> },
}

/// The ways to other nodes' media, and theirs to this one's.
pub struct Spread {
    sfu: Sfu,
    relay: Relaying,
    nodes: Nodes,
    /// Where our own port for nodes is, once it is open.
    here: OnceLock<String>,
    is_open: CancellationToken,
    /// It has no more people's media of others than those that are here.
    is_full: AtomicBool,
    reached: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Link>>>>>,
    unfit: Mutex<HashMap<String, Instant>>,
    pub(crate) lodging: Arc<Lodging>,
    heard: mpsc::Sender<Heard>,
    passage: Passage,
    stop: CancellationToken,
}

impl Spread {
    /// None if the media server has no relay.
    pub fn new(sfu: Sfu, nodes: Nodes, passage: Passage, stop: CancellationToken) -> Option<(Arc<Self>, mpsc::Receiver<Heard>)> {
        let relay = sfu.relay()?.clone();
        let (heard, told) = mpsc::channel(WORDS);
        let (here, is_open, is_full, reached, unfit, lodging) = Default::default();
        let spread = Self { sfu, relay, nodes, here, is_open, is_full, reached, unfit, lodging, heard, passage, stop };
        Some((Arc::new(spread), told))
    }

    /// Other nodes reach this one there.
    pub fn is_at(&self, address: &str) {
        let _ = self.here.set(address.to_owned());
        self.is_open.cancel();
    }

    /// Where that is, for other nodes to have people's media here.
    pub fn here(&self) -> Option<&str> {
        self.here.get().map(String::as_str)
    }

    /// The same, if it may have more of them.
    pub fn takes(&self) -> Option<&str> {
        self.here().filter(|_| !self.is_full.load(Ordering::Relaxed))
    }

    /// Whether this node may have more people's media whose sessions are on others.
    pub fn takes_guests(&self, does: bool) {
        self.is_full.store(!does, Ordering::Relaxed);
    }

    /// How many people's media are here whose sessions are on others.
    pub fn guests(&self) -> usize {
        self.lodging.guests()
    }

    /// A way to the node whose port for nodes is at `address`, if media go there and back.
    pub(crate) async fn reach(self: &Arc<Self>, address: &str) -> Option<Link> {
        let mut slot = self.slot(address).lock_owned().await;
        let link = match slot.as_ref().filter(|link| !link.is_gone()) {
            Some(link) => link.clone(),
            None if !self.is_fit(address) || self.here() == Some(address) => return None,
            None => slot.insert(self.begin(address, false)).clone(),
        };
        drop(slot);
        let reached = tokio::time::timeout(REACHED_WITHIN, link.conversation()).await;
        reached.ok().flatten().map(|_| link)
    }

    /// The way to a node that a run before had one to.
    pub(crate) fn had(self: &Arc<Self>, address: &str) -> Option<Link> {
        let slot = self.slot(address);
        let mut slot = slot.try_lock().ok()?;
        Some(slot.get_or_insert_with(|| self.begin(address, true)).clone())
    }

    fn slot(&self, address: &str) -> Arc<tokio::sync::Mutex<Option<Link>>> {
        let mut reached = self.reached();
        if reached.len() >= NODES && !reached.contains_key(address) {
            reached.retain(|_, slot| slot.try_lock().map_or(true, |link| link.as_ref().is_some_and(|link| !link.is_gone())));
        }
        Arc::clone(reached.entry(address.to_owned()).or_default())
    }

    /// Whether there is a way to the node at `address` at this moment.
    pub(crate) async fn reaches(&self, address: &str) -> bool {
        let slot = self.reached().get(address).cloned();
        let Some(slot) = slot else { return false };
        slot.lock().await.as_ref().is_some_and(Link::is_up)
    }

    /// A node gets nobody's media for a while.
    pub(crate) fn is_unfit(&self, address: &str) {
        let now = Instant::now();
        let mut unfit = self.unfit();
        unfit.retain(|_, since| now.saturating_duration_since(*since) < UNFIT_FOR);
        unfit.insert(address.to_owned(), now);
    }

    /// Whether a node may have people's media, as far as is known.
    pub(crate) fn is_fit(&self, address: &str) -> bool {
        self.unfit().get(address).is_none_or(|since| since.elapsed() >= UNFIT_FOR)
    }

    fn begin(self: &Arc<Self>, address: &str, again: bool) -> Link {
        let link = Link::new(address, self.relay.clone(), self.stop.child_token());
        tokio::spawn(Arc::clone(self).keep(link.clone(), again));
        link
    }

    /// Sees to it that there is a connection with a node, until there is none for too long. `again` if there was one before.
    async fn keep(self: Arc<Self>, link: Link, mut again: bool) {
        let mut before = None;
        loop {
            let connected = async {
                self.is_open.cancelled().await;
                let within = if again { HELD_FOR } else { REACHED_WITHIN };
                let connected = async {
                    loop {
                        match self.connect(&link, &mut before).await {
                            None if again => tokio::time::sleep(AGAIN_AFTER).await,
                            connected => return connected,
                        }
                    }
                };
                tokio::time::timeout(within, connected).await.ok().flatten()
            };
            let Some(Some(conversation)) = link.until().run_until_cancelled(connected).await else { break };
            link.comes_up(&conversation);
            again = true;
            conversation.gone().cancelled().await;
            link.goes_away();
            self.relay.part(conversation.number()).await;
            if link.until().is_cancelled() {
                break;
            }
            tracing::info!(node = link.address(), "the way to another node's media is lost: it is looked for");
            let _ = self.heard.send(Heard::Away(link.clone())).await;
        }
        link.ends();
        if let Some(before) = before {
            self.relay.leave(before).await;
        }
        self.lodging.parted(link.address());
        if !self.stop.is_cancelled() {
            let node = link.address();
            match again {
                true => tracing::warn!(node, "another node's media are lost"),
                false => tracing::warn!(node, "no media go to another node: is its cluster.listen reached over UDP as well?"),
            }
            self.is_unfit(node);
        }
        let _ = self.heard.send(Heard::Lost(link)).await;
    }

    /// A connection with the node of this way. `before` is the one before it, and then this.
    async fn connect(self: &Arc<Self>, link: &Link, before: &mut Option<u32>) -> Option<Conversation> {
        let mut stream = self.nodes.dial(link.address(), PATH).await.ok()?;
        let (half, number) = (Half::new()?, self.relay.name().ok()?);
        let hello = Hello { version: VERSION, address: self.here()?.to_owned(), key: *half.public(), link: number };
        write(&mut stream, &Word::Hello(hello)).await?;
        let Word::Welcome(welcome) = read(&mut stream).await? else { return None };
        let keys = half.agree(&welcome.key, self.nodes.secret().as_bytes(), true)?;
        let to = Some(SocketAddr::new(look_up(link.address()).await.ok()?.ip(), welcome.port));
        let (tell, told) = mpsc::channel(UNSENT);
        let instead_of = before.replace(number);
        let joined = Connection { ours: number, theirs: welcome.link, keys, to, instead_of, told: tell };
        self.relay.join(joined).await.ok()?;
        let ((out, waiting), (hears, heard)) = (mpsc::channel(UNSENT), mpsc::channel(WORDS));
        let (proven, gone) = (CancellationToken::new(), link.until().child_token());
        let conversation = Conversation::new(number, out, gone.clone());
        let ways = Ways { out: waiting, told, heard: hears, proven: proven.clone(), gone: gone.clone() };
        tokio::spawn(talk(stream, ways));
        // Who gives up waiting for it does not want it.
        let unwanted = gone.clone().drop_guard();
        tokio::spawn(Arc::clone(self).hear(link.clone(), conversation.clone(), heard));
        let attached = async {
            proven.cancelled().await;
            let (done, attached) = oneshot::channel();
            let up = Heard::Up { at: link.clone(), over: conversation.clone(), done };
            self.heard.send(up).await.ok()?;
            attached.await.ok()
        };
        if gone.run_until_cancelled(attached).await.flatten().is_none() {
            self.relay.part(number).await;
            return None;
        }
        unwanted.disarm();
        Some(conversation)
    }

    /// What the node says that is asked, until the connection is gone.
    async fn hear(self: Arc<Self>, link: Link, asks: Conversation, mut heard: mpsc::Receiver<Word>) {
        let number = asks.number();
        while let Some(Some(word)) = asks.gone().run_until_cancelled(heard.recv()).await {
            let went_on = match word {
                Word::Answer { number, answer } => {
                    asks.answered(number, answer);
                    true
                }
                Word::Lines { number, lines } => {
                    asks.answers(number, lines);
                    true
                }
                Word::Leaving => {
                    asks.is_left();
                    true
                }
                Word::News(news) => self.relay.hear(number, news).await.is_ok(),
                Word::Event(event) => self.heard.send(Heard::Event(event)).await.is_ok(),
                Word::Parted { address, transports } => {
                    self.heard.send(Heard::Parted { at: link.clone(), from: address, transports }).await.is_ok()
                }
                _ => false,
            };
            if !went_on {
                break;
            }
        }
        asks.gone().cancel();
    }

    /// Another node has come to ask, and does until either is gone.
    pub async fn accept(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let _ = self.take_in(stream).await;
    }

    async fn take_in(self: Arc<Self>, mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Option<()> {
        let Word::Hello(hello) = tokio::time::timeout(HELLO_WITHIN, read(&mut stream)).await.ok()?? else { return None };
        if hello.version != VERSION {
            return None;
        }
        let (half, number) = (Half::new()?, self.relay.name().ok()?);
        let keys = half.agree(&hello.key, self.nodes.secret().as_bytes(), false)?;
        let (tell, told) = mpsc::channel(UNSENT);
        self.relay
            .join(Connection { ours: number, theirs: hello.link, keys, to: None, instead_of: None, told: tell })
            .await
            .ok()?;
        let port = self.relay.local_addr().port();
        let welcome = Word::Welcome(Welcome { key: *half.public(), link: number, port });
        if write(&mut stream, &welcome).await.is_none() {
            self.relay.leave(number).await;
            return None;
        }
        let ((out, waiting), (hears, mut heard)) = (mpsc::channel(UNSENT), mpsc::channel(WORDS));
        let gone = self.stop.child_token();
        let ways = Ways { out: waiting, told, heard: hears, proven: CancellationToken::new(), gone: gone.clone() };
        tokio::spawn(talk(stream, ways));
        let (asker, places): (Arc<str>, _) = (hello.address.into(), Arc::new(Semaphore::new(ASKS)));
        self.lodging.come(number, &asker, out.clone(), gone.clone());
        let mut guest = self.passage.enter(Part::Door);
        let (mut phase, mut leaves) = (Phase::Open, false);
        loop {
            let word = tokio::select! {
                () = gone.cancelled() => break,
                word = heard.recv() => word,
                turned = guest.turns(phase) => {
                    phase = turned;
                    match (phase, leaves) {
                        // It is this process after all: the other side comes anew.
                        (Phase::Open, true) => break,
                        (Phase::Open, false) | (_, true) => {}
                        // What was begun is done; what comes from now on is for the next process.
                        (_, false) => {
                            let _done = places.acquire_many(ASKS as u32).await;
                            let _ = out.send(Word::Leaving).await;
                            guest.report();
                            leaves = true;
                        }
                    }
                    continue;
                }
            };
            match word {
                Some(Word::News(news)) => match self.relay.hear(number, news).await {
                    Ok(()) => {}
                    Err(_) => break,
                },
                Some(Word::Ask { .. }) if leaves => {}
                Some(Word::Ask { number: question, ask }) => {
                    let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
                    let (spread, out, gone, asker) = (Arc::clone(&self), out.clone(), gone.clone(), Arc::clone(&asker));
                    let mut obeyed: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
                        let mut answer = spread.obey(number, &asker, ask).await;
                        while let Ok(Answer::Quality(lines)) = &mut answer
                            && lines.len() > LINES_AT_ONCE
                        {
                            let part = lines.split_off(lines.len() - LINES_AT_ONCE);
                            let _ = out.send(Word::Lines { number: question, lines: part }).await;
                        }
                        if out.send(Word::Answer { number: question, answer }).await.is_err() {
                            gone.cancel();
                        }
                        drop(place);
                    });
                    // Begun in the order they came, so that the media threads hear them in that order.
                    if poll_fn(|context| Poll::Ready(obeyed.as_mut().poll(context).is_pending())).await {
                        tokio::spawn(obeyed);
                    }
                }
                _ => break,
            }
        }
        gone.cancel();
        self.lodging.leave(number);
        self.relay.leave(number).await;
        Some(())
    }

    /// Does what the node at `asker` asks.
    async fn obey(self: &Arc<Self>, host: u32, asker: &str, ask: Ask) -> Result<Answer, Refusal> {
        match &ask {
            Ask::Open { .. } if self.takes().is_none() => return Err(Refusal::CutOff),
            // Whoever is here will want what comes in there.
            Ask::Open { .. } => drop(self.reach(asker).await.ok_or(Refusal::CutOff)?),
            Ask::Consume { transport, from, .. } => self.fetch(host, asker, transport, from).await?,
            Ask::Fetch { transport, from } => {
                self.fetch(host, asker, transport, from).await?;
                let producers = from.iter().map(|(producer, _)| producer.clone()).collect();
                self.sfu.go_on_consuming(transport, producers).await?;
                return Ok(Answer::Done);
            }
            Ask::Lodged { rooms } => {
                let mut here = Vec::new();
                for room in rooms.iter().take(ROOMS_AT_ONCE) {
                    if self.lodging.find(room).await == Whereabouts::Here {
                        here.push(room.clone());
                    }
                }
                if !here.is_empty() {
                    let (at, (done, attached)) = (self.reach(asker).await.ok_or(Refusal::CutOff)?, oneshot::channel());
                    self.heard.send(Heard::Lodged { at, rooms: here, done }).await.map_err(|_| Refusal::CutOff)?;
                    let _ = attached.await;
                }
                return Ok(Answer::Done);
            }
            _ => {}
        }
        self.lodging.obey(&self.sfu, (host, asker), ask).await
    }

    /// Has what a connection that was opened here is to get, and comes in at other nodes.
    async fn fetch(
        self: &Arc<Self>,
        host: u32,
        asker: &str,
        transport: &TransportId,
        from: &[(ProducerId, Home)],
    ) -> Result<(), Refusal> {
        if from.is_empty() {
            return Ok(());
        }
        let room = self.lodging.needs(host, transport, None).ok_or(Error::UnknownTransport)?;
        for (address, producers) in by_home(from, asker) {
            let link = self.reach(address).await.ok_or(Refusal::CutOff)?;
            self.lodging.needs(host, transport, Some(address)).ok_or(Error::UnknownTransport)?;
            link.watch(producers, &room).await.map_err(|_| Refusal::CutOff)?;
        }
        Ok(())
    }

    fn reached(&self) -> MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<Option<Link>>>>> {
        self.reached.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn unfit(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.unfit.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The producers that come in at each node.
fn by_home<'a>(from: &'a [(ProducerId, Home)], asker: &'a str) -> HashMap<&'a str, Vec<ProducerId>> {
    let mut homes: HashMap<&str, Vec<ProducerId>> = HashMap::new();
    for (producer, home) in from {
        let address = match home {
            Home::Asker => asker,
            Home::At(address) => address,
        };
        homes.entry(address).or_default().push(producer.clone());
    }
    homes
}
