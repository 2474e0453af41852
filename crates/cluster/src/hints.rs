//! Hints between nodes, over NATS: that a node lives, that sessions have a new owner, that a key was changed.
//! Invariant: what is heard, or missed, has a node look at what the store says, and nothing else; nobody waits for a hint, and
//! one that is lost or made up costs a look. Without NATS, and while it is away, there are none.
//! Next: `nats.rs`, the words; `beats.rs`, who is missed.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;

use crate::beats::{BEAT_EVERY, Beats};
use crate::nats::{self, Login, Said};

/// Hints that wait to be told. What comes on top is not told.
const WAITING: usize = 256;

/// How long NATS may take to answer, and to take what is said to it.
const WITHIN: Duration = Duration::from_secs(2);

/// A line on which our own beats do not come back for so long is dead.
const DEAF_AFTER: Duration = Duration::from_secs(3);

/// How soon a line that broke is opened again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

const PORT: u16 = 4_222;

/// What one node tells the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// That node lives.
    Beat(String),
    /// What that node had is others' now, or free.
    Moved(String),
    /// That API key was changed or revoked.
    Key(String),
}

/// What a node does about hints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// To look whether sessions have lost their owner.
    Look,
    /// To forget an API key, and ask the store.
    Key(String),
}

impl Hint {
    fn text(&self) -> String {
        match self {
            Self::Beat(node) => format!("beat {node}"),
            Self::Moved(node) => format!("moved {node}"),
            Self::Key(id) => format!("key {id}"),
        }
    }

    /// `None` for what a later release may say.
    fn read(text: &str) -> Option<Self> {
        let (word, of) = text.split_once(' ')?;
        match word {
            "beat" => Some(Self::Beat(of.to_owned())),
            "moved" => Some(Self::Moved(of.to_owned())),
            "key" => Some(Self::Key(of.to_owned())),
            _ => None,
        }
    }
}

/// Tells hints; clones are one. By default there is nobody to tell.
#[derive(Debug, Clone, Default)]
pub struct Hints(Option<mpsc::Sender<Hint>>);

impl Hints {
    /// Tells the other nodes, if they can be reached.
    pub fn tell(&self, hint: Hint) {
        if let Some(waiting) = &self.0 {
            // Whoever misses it finds out by itself, only later.
            let _ = waiting.try_send(hint);
        }
    }
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Garbled(#[from] nats::Garbled),
    #[error("it says: {0}")]
    Refused(String),
    #[error("it does not answer")]
    Silent,
    #[error("it closed the connection")]
    Closed,
}

/// The line over which hints go.
pub struct Line {
    address: String,
    login: Login,
    node: String,
    subject: String,
    waiting: mpsc::Receiver<Hint>,
}

/// A way to tell hints, and the line over which they go to the NATS at `url`. `cluster` tells nodes of one database from others
/// that share the NATS. `None` if that is not the URL of a NATS.
pub fn hints(url: &str, cluster: &str, node: &str) -> Option<(Hints, Line)> {
    let (address, login) = read(url)?;
    let (tell, waiting) = mpsc::channel(WAITING);
    let subject = format!("salon.{cluster}.hint");
    Some((Hints(Some(tell)), Line { address, login, node: node.to_owned(), subject, waiting }))
}

/// Whether hints can go there.
pub fn is_nats(url: &str) -> bool {
    read(url).is_some()
}

fn read(url: &str) -> Option<(String, Login)> {
    let url = Url::parse(url).ok().filter(|url| url.scheme() == "nats")?;
    // The parts are escaped as those of a query are, but for the plus.
    let text = |part: &str| {
        let escaped = Url::parse(&format!("nats://x?x={}", part.replace('+', "%2B"))).ok()?;
        let text = escaped.query_pairs().next()?.1.into_owned();
        (!text.is_empty()).then_some(text)
    };
    let login = Login { user: text(url.username()), password: url.password().and_then(text) };
    Some((format!("{}:{}", url.host_str()?, url.port().unwrap_or(PORT)), login))
}

impl Line {
    /// Carries hints until it is told to stop; those that wait then still go.
    pub async fn run(mut self, heard: impl Fn(Heard) + Send, stop: CancellationToken) {
        let mut complained = false;
        while !stop.is_cancelled() {
            let broken = match self.carry(&heard, &mut complained, &stop).await {
                Ok(()) => return,
                Err(broken) => broken,
            };
            if !complained {
                tracing::warn!(error = %broken, "NATS cannot be reached: nodes find out later what happens at others");
                complained = true;
            }
            stop.run_until_cancelled(tokio::time::sleep(AGAIN_AFTER)).await;
        }
    }

    /// One connection, until it breaks or this is told to stop.
    async fn carry(&mut self, heard: &impl Fn(Heard), complained: &mut bool, stop: &CancellationToken) -> Result<(), Broken> {
        let socket = timeout(WITHIN, TcpStream::connect(&self.address)).await.map_err(|_| Broken::Silent)??;
        socket.set_nodelay(true)?;
        let (mut from_nats, mut to_nats) = socket.into_split();
        let (mut received, mut beats, mut own_heard) = (BytesMut::new(), Beats::default(), Instant::now());
        let mut is_known = false;
        let mut ticks = tokio::time::interval(BEAT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                read = from_nats.read_buf(&mut received) => if read? == 0 {
                    return Err(Broken::Closed);
                },
                () = stop.cancelled() => {
                    while let Some(hint) = self.waiting.try_recv().ok().filter(|_| is_known) {
                        say(&mut to_nats, &nats::publish(&self.subject, &hint.text())).await?;
                    }
                    return Ok(to_nats.shutdown().await?);
                }
                Some(hint) = self.waiting.recv(), if is_known => {
                    say(&mut to_nats, &nats::publish(&self.subject, &hint.text())).await?;
                }
                _ = ticks.tick() => {
                    if own_heard.elapsed() > DEAF_AFTER {
                        return Err(Broken::Silent);
                    }
                    if is_known {
                        let beat = Hint::Beat(self.node.clone()).text();
                        say(&mut to_nats, &nats::publish(&self.subject, &beat)).await?;
                    }
                    if beats.is_anybody_missed(Instant::now()) {
                        heard(Heard::Look);
                    }
                }
            }
            while let Some(said) = nats::next(&mut received)? {
                match said {
                    Said::Info if !is_known => {
                        say(&mut to_nats, &nats::hello(&self.login, &self.node, &self.subject)).await?;
                        is_known = true;
                    }
                    Said::Info | Said::Fine => {}
                    Said::Ping => say(&mut to_nats, nats::PONG).await?,
                    Said::Error(why) => return Err(Broken::Refused(why)),
                    Said::Message(text) => match Hint::read(&text) {
                        Some(Hint::Beat(node)) if node == self.node => {
                            own_heard = Instant::now();
                            if std::mem::take(complained) {
                                tracing::info!("NATS is reached again");
                            }
                        }
                        Some(Hint::Beat(node)) => beats.heard(Instant::now(), &node),
                        Some(Hint::Moved(node)) => {
                            beats.gone(&node);
                            heard(Heard::Look);
                        }
                        Some(Hint::Key(id)) => heard(Heard::Key(id)),
                        None => {}
                    },
                }
            }
        }
    }
}

/// Says something to a server that takes it in time.
async fn say(to: &mut (impl AsyncWrite + Unpin), words: &str) -> Result<(), Broken> {
    Ok(timeout(WITHIN, to.write_all(words.as_bytes())).await.map_err(|_| Broken::Silent)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nats_is_and_who_we_are_to_it() {
        let login = |user: &str, password: &str| {
            let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            Login { user: text(user), password: text(password) }
        };
        for (url, address, who) in [
            ("nats://10.0.0.9", "10.0.0.9:4222", login("", "")),
            ("nats://nats.internal:4333", "nats.internal:4333", login("", "")),
            ("nats://ana:a+b%40c@[2001:db8::7]:4222", "[2001:db8::7]:4222", login("ana", "a+b@c")),
            ("nats://:token@n", "n:4222", login("", "token")),
        ] {
            assert!(read(url).is_some_and(|(at, as_whom)| at == address && as_whom == who), "{url}");
        }
        for url in ["", "nats.internal:4222", "http://n", "nats:n", "tls://n:4222"] {
            assert!(!is_nats(url), "{url}");
        }
    }

    #[test]
    fn what_one_tells_the_others_read() {
        for hint in [Hint::Beat("n1".to_owned()), Hint::Moved("n2".to_owned()), Hint::Key("k".to_owned())] {
            assert_eq!(Hint::read(&hint.text()), Some(hint));
        }
        for text in ["", "beat", "of a later release"] {
            assert_eq!(Hint::read(text), None, "{text:?}");
        }
    }
}
