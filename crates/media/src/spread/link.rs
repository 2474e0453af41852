//! A connection to another node, from the side that asks: for connections of its people there, and for producers that come in
//! there.
//! Invariant: each question is answered, or the connection ends and all of them are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use salon_sfu::{Error, LineQuality, ProducerId, Relaying, RoomId};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::words::{Answer, Ask, Refusal, Word};

/// How long the other node may take to answer: longer than its media threads take at their worst.
const WITHIN: Duration = Duration::from_secs(8);

/// Who waits for an answer, with what has come of it by now.
type Waiting = HashMap<u64, (oneshot::Sender<Result<Answer, Refusal>>, Vec<LineQuality>)>;

/// Cheap to clone.
#[derive(Clone)]
pub struct Link(Arc<Inner>);

struct Inner {
    address: String,
    number: u32,
    out: mpsc::Sender<Word>,
    waiting: Mutex<Waiting>,
    next: AtomicU64,
    relay: Relaying,
    gone: CancellationToken,
}

impl Link {
    pub(super) fn new(address: &str, number: u32, out: mpsc::Sender<Word>, relay: Relaying, gone: CancellationToken) -> Self {
        let (waiting, next) = Default::default();
        Self(Arc::new(Inner { address: address.to_owned(), number, out, waiting, next, relay, gone }))
    }

    /// Where the port for nodes of the other side is.
    pub(crate) fn address(&self) -> &str {
        &self.0.address
    }

    /// What it is called here.
    pub(crate) fn number(&self) -> u32 {
        self.0.number
    }

    /// What comes of this, if the connection lasts so long.
    pub(super) async fn until_gone<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        self.0.gone.run_until_cancelled(what).await
    }

    pub(super) fn end(&self) {
        self.0.gone.cancel();
    }

    pub(super) fn is_gone(&self) -> bool {
        self.0.gone.is_cancelled()
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// # Errors
    /// What the other node says; `CutOff` if it says nothing.
    pub(crate) async fn ask(&self, ask: Ask) -> Result<Answer, Refusal> {
        let answered = self.send(ask).ok_or(Refusal::CutOff)?;
        tokio::select! {
            biased;
            answer = answered => answer.unwrap_or(Err(Refusal::CutOff)),
            () = self.0.gone.cancelled() => Err(Refusal::CutOff),
            () = tokio::time::sleep(WITHIN) => {
                tracing::warn!(node = self.0.address, "a node does not answer about media: it is given up");
                self.0.gone.cancel();
                Err(Refusal::CutOff)
            }
        }
    }

    /// For a caller that does not wait.
    pub(crate) fn tell(&self, ask: Ask) {
        drop(self.send(ask));
    }

    fn send(&self, ask: Ask) -> Option<oneshot::Receiver<Result<Answer, Refusal>>> {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.waiting().insert(number, (answer, Vec::new()));
        if self.0.out.try_send(Word::Ask { number, ask }).is_err() {
            // What it would miss it could not do without.
            self.0.gone.cancel();
            self.waiting().remove(&number);
            return None;
        }
        Some(answered)
    }

    pub(super) fn answers(&self, number: u64, part: Vec<LineQuality>) {
        if let Some((_, lines)) = self.waiting().get_mut(&number) {
            lines.extend(part);
        }
    }

    pub(super) fn answered(&self, number: u64, answer: Result<Answer, Refusal>) {
        let Some((waits, mut before)) = self.waiting().remove(&number) else { return };
        let answer = answer.map(|answer| match answer {
            Answer::Quality(lines) => {
                before.extend(lines);
                Answer::Quality(before)
            }
            other => other,
        });
        let _ = waits.send(answer);
    }

    /// Has producers of the other node here, if they are there. Those that do not come are not found afterwards.
    ///
    /// # Errors
    /// The connection is over.
    pub(crate) async fn watch(&self, producers: Vec<ProducerId>, room: &RoomId) -> Result<(), Error> {
        let mut watched = Vec::new();
        for producer in producers {
            watched.push(self.0.relay.watch(self.0.number, producer, room.clone()).await?);
        }
        for came in watched {
            let _ = came.await;
        }
        if self.is_gone() { Err(Error::Stopped) } else { Ok(()) }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
