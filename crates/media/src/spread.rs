//! A meeting's media over several nodes: the node with the session may have the media of people at the node that their socket
//! reached. It asks that node for their connections, as if it were a further part of its own media server, and the relays of
//! both carry what people on one get of people on the other.
//! Owns the connections with other nodes. Invariant: whatever becomes of one, what was over it ends on both sides.
//! Next: `spread/link.rs`, the side that asks; `spread/lodging.rs`, the one that is asked.

mod link;
mod lodging;
mod talk;
mod words;

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use salon_cluster::{Nodes, look_up};
use salon_sfu::{Connection, Error, Event, Half, ProducerId, Relaying, Sfu, TransportId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

pub use self::link::Link;
use self::lodging::Lodging;
use self::talk::{WORDS, Ways, talk};
pub(crate) use self::words::{Answer, Ask, Home, Refusal};
use self::words::{Hello, LINES_AT_ONCE, VERSION, Welcome, Word, read, write};

/// Where nodes talk to each other of media.
pub const PATH: &str = "/internal/media";

/// How long it may take until packets go to another node and back, the connection included.
const REACHED_WITHIN: Duration = Duration::from_millis(1_500);

/// How long a node that could not be reached, or was lost, gets nobody's media.
const UNFIT_FOR: Duration = Duration::from_secs(10);

/// How long a connection may say nothing at first.
const HELLO_WITHIN: Duration = Duration::from_secs(2);

/// What one node may ask at a time; more waits.
const ASKS: usize = 1_024;

/// Nodes that are known. Who is not reached is forgotten when there are more.
const NODES: usize = 1_000;

/// What the owners of people's connections hear of other nodes.
pub enum Heard {
    /// Of a connection there.
    Event(Event),
    /// A connection with a node is over, and so is what people had there.
    Lost(u32),
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
    reached: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Link>>>>>,
    unfit: Mutex<HashMap<String, Instant>>,
    lodging: Lodging,
    heard: mpsc::Sender<Heard>,
    stop: CancellationToken,
}

impl Spread {
    /// None if the media server has no relay.
    pub fn new(sfu: Sfu, nodes: Nodes, stop: CancellationToken) -> Option<(Arc<Self>, mpsc::Receiver<Heard>)> {
        let relay = sfu.relay()?.clone();
        let (heard, told) = mpsc::channel(WORDS);
        let (here, reached, unfit, lodging) = Default::default();
        Some((Arc::new(Self { sfu, relay, nodes, here, reached, unfit, lodging, heard, stop }), told))
    }

    /// Other nodes reach this one there.
    pub fn is_at(&self, address: &str) {
        let _ = self.here.set(address.to_owned());
    }

    /// Where that is, for other nodes to have people's media here.
    pub fn here(&self) -> Option<&str> {
        self.here.get().map(String::as_str)
    }

    /// Whether something that happened is another node's to know, which then hears of it.
    pub(crate) fn pass_on(&self, event: &Event) -> bool {
        self.lodging.pass_on(event)
    }

    /// A way to the node whose port for nodes is at `address`, if media go there and back.
    pub(crate) async fn reach(self: &Arc<Self>, address: &str) -> Option<Link> {
        let slot = {
            let mut reached = self.reached();
            if reached.len() >= NODES && !reached.contains_key(address) {
                reached.retain(|_, slot| slot.try_lock().map_or(true, |link| link.as_ref().is_some_and(|link| !link.is_gone())));
            }
            Arc::clone(reached.entry(address.to_owned()).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some(link) = slot.as_ref().filter(|link| !link.is_gone()) {
            return Some(link.clone());
        }
        if !self.is_fit(address) || self.here() == Some(address) {
            return None;
        }
        *slot = tokio::time::timeout(REACHED_WITHIN, self.connect(address)).await.unwrap_or(None);
        if slot.is_none() {
            tracing::warn!(node = address, "no media go to another node: is its cluster.listen reached over UDP as well?");
            self.is_unfit(address);
        }
        slot.clone()
    }

    /// Whether there is a way to the node at `address` at this moment.
    pub(crate) async fn reaches(&self, address: &str) -> bool {
        let slot = self.reached().get(address).cloned();
        let Some(slot) = slot else { return false };
        slot.lock().await.as_ref().is_some_and(|link| !link.is_gone())
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

    async fn connect(self: &Arc<Self>, address: &str) -> Option<Link> {
        let mut stream = self.nodes.dial(address, PATH).await.ok()?;
        let (half, number) = (Half::new()?, self.relay.name().ok()?);
        let hello = Hello { version: VERSION, address: self.here()?.to_owned(), key: *half.public(), link: number };
        write(&mut stream, &Word::Hello(hello)).await?;
        let Word::Welcome(welcome) = read(&mut stream).await? else { return None };
        let keys = half.agree(&welcome.key, self.nodes.secret().as_bytes(), true)?;
        let to = Some(SocketAddr::new(look_up(address).await.ok()?.ip(), welcome.port));
        let (tell, told) = mpsc::channel(WORDS);
        let joined = Connection { ours: number, theirs: welcome.link, keys, to, told: tell };
        self.relay.join(joined).await.ok()?;
        let ((out, waiting), (hears, mut heard)) = (mpsc::channel(WORDS), mpsc::channel(WORDS));
        let (proven, gone) = (CancellationToken::new(), self.stop.child_token());
        let link = Link::new(address, number, out, self.relay.clone(), gone.clone());
        let ways = Ways { out: waiting, told, heard: hears, proven: proven.clone(), gone: gone.clone() };
        tokio::spawn(talk(stream, ways));
        let (spread, asks, came_up) = (Arc::clone(self), link.clone(), proven.clone());
        // Who gives up waiting for it does not want it.
        let unwanted = gone.clone().drop_guard();
        tokio::spawn(async move {
            while let Some(Some(word)) = asks.until_gone(heard.recv()).await {
                let went_on = match word {
                    Word::Answer { number, answer } => {
                        asks.answered(number, answer);
                        true
                    }
                    Word::Lines { number, lines } => {
                        asks.answers(number, lines);
                        true
                    }
                    Word::News(news) => spread.relay.hear(number, news).await.is_ok(),
                    Word::Event(event) => spread.heard.send(Heard::Event(event)).await.is_ok(),
                    Word::Parted { address, transports } => {
                        spread.heard.send(Heard::Parted { at: asks.clone(), from: address, transports }).await.is_ok()
                    }
                    _ => false,
                };
                if !went_on {
                    break;
                }
            }
            asks.end();
            spread.relay.leave(number).await;
            spread.lodging.parted(number, asks.address());
            if came_up.is_cancelled() && !spread.stop.is_cancelled() {
                tracing::warn!(node = asks.address(), "the way to another node's media is lost");
                spread.is_unfit(asks.address());
            }
            let _ = spread.heard.send(Heard::Lost(number)).await;
        });
        tokio::select! {
            () = proven.cancelled() => {
                unwanted.disarm();
                Some(link)
            }
            () = gone.cancelled() => None,
        }
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
        let (tell, told) = mpsc::channel(WORDS);
        self.relay.join(Connection { ours: number, theirs: hello.link, keys, to: None, told: tell }).await.ok()?;
        let port = self.relay.local_addr().port();
        let welcome = Word::Welcome(Welcome { key: *half.public(), link: number, port });
        if write(&mut stream, &welcome).await.is_none() {
            self.relay.leave(number).await;
            return None;
        }
        let ((out, waiting), (hears, mut heard)) = (mpsc::channel(WORDS), mpsc::channel(WORDS));
        let gone = self.stop.child_token();
        let ways = Ways { out: waiting, told, heard: hears, proven: CancellationToken::new(), gone: gone.clone() };
        tokio::spawn(talk(stream, ways));
        self.lodging.come(number, out.clone(), gone.clone());
        let (asker, places): (Arc<str>, _) = (hello.address.into(), Arc::new(Semaphore::new(ASKS)));
        while let Some(Some(word)) = gone.run_until_cancelled(heard.recv()).await {
            match word {
                Word::News(news) => match self.relay.hear(number, news).await {
                    Ok(()) => {}
                    Err(_) => break,
                },
                Word::Ask { number: question, ask } => {
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
        self.lodging.leave(&self.sfu, number);
        self.relay.leave(number).await;
        Some(())
    }

    /// Does what the node at `asker` asks.
    async fn obey(self: &Arc<Self>, host: u32, asker: &str, ask: Ask) -> Result<Answer, Refusal> {
        match &ask {
            // Whoever is here will want what comes in there.
            Ask::Open { .. } => drop(self.reach(asker).await.ok_or(Refusal::CutOff)?),
            Ask::Consume { transport, from, .. } if !from.is_empty() => {
                let room = self.lodging.needs(host, transport, None).ok_or(Error::UnknownTransport)?;
                for (address, producers) in by_home(from, asker) {
                    let link = self.reach(address).await.ok_or(Refusal::CutOff)?;
                    self.lodging.needs(host, transport, Some(link.number())).ok_or(Error::UnknownTransport)?;
                    link.watch(producers, &room).await.map_err(|_| Refusal::CutOff)?;
                }
            }
            _ => {}
        }
        self.lodging.obey(&self.sfu, host, ask).await
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
