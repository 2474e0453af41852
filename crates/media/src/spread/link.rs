//! The way to another node, from the side that asks: for connections of its people there, and for producers that come in
//! there. It outlives the connection that it is over: while there is none, whoever asks waits for the next.
//! Invariant: each question is answered, or nobody knows what became of it, or the way is gone and so are all of them.
//! Next: `../spread.rs` sees to the connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use salon_sfu::{Error, LineQuality, ProducerId, Relaying, RoomId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::talk::UNSENT;
use super::words::{Answer, Ask, Refusal, Word};

/// How long the other node may take to answer: longer than its media threads take at their worst.
const WITHIN: Duration = Duration::from_secs(8);

/// Cheap to clone.
#[derive(Clone)]
pub struct Link(Arc<Inner>);

struct Inner {
    address: String,
    relay: Relaying,
    standing: watch::Sender<Standing>,
    /// What was told while there was no connection, in order.
    later: Mutex<Vec<Ask>>,
    given_up: CancellationToken,
}

#[derive(Clone)]
enum Standing {
    /// There is no connection; there may be one soon.
    Away,
    Up(Conversation),
    Gone,
}

impl Link {
    pub(super) fn new(address: &str, relay: Relaying, given_up: CancellationToken) -> Self {
        let (standing, later) = (watch::Sender::new(Standing::Away), Mutex::default());
        Self(Arc::new(Inner { address: address.to_owned(), relay, standing, later, given_up }))
    }

    /// Where the port for nodes of the other side is.
    pub(crate) fn address(&self) -> &str {
        &self.0.address
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Nothing will come over it any more.
    pub(super) fn is_gone(&self) -> bool {
        matches!(*self.0.standing.borrow(), Standing::Gone)
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(*self.0.standing.borrow(), Standing::Up(_))
    }

    /// From now on it is over this connection; what was told meanwhile is told now.
    pub(super) fn comes_up(&self, conversation: &Conversation) {
        let mut later = self.later();
        later.drain(..).for_each(|ask| drop(conversation.send(ask)));
        self.0.standing.send_replace(Standing::Up(conversation.clone()));
    }

    pub(super) fn goes_away(&self) {
        self.0.standing.send_replace(Standing::Away);
    }

    /// For good.
    pub(super) fn ends(&self) {
        self.0.given_up.cancel();
        self.0.standing.send_replace(Standing::Gone);
        self.later().clear();
    }

    /// Its connections end with this.
    pub(super) fn until(&self) -> &CancellationToken {
        &self.0.given_up
    }

    /// The connection that it is over, once there is one. None if there will be none.
    pub(super) async fn conversation(&self) -> Option<Conversation> {
        let mut standing = self.0.standing.subscribe();
        let settled = standing.wait_for(|standing| !matches!(standing, Standing::Away)).await.ok()?;
        match &*settled {
            Standing::Up(conversation) => Some(conversation.clone()),
            _ => None,
        }
    }

    /// # Errors
    /// What the other node says; `CutOff` if nobody knows what it did.
    pub(crate) async fn ask(&self, ask: Ask) -> Result<Answer, Refusal> {
        let asked = async {
            let mut standing = self.0.standing.subscribe();
            loop {
                let conversation = self.conversation().await.ok_or(Refusal::CutOff)?;
                match conversation.ask(ask.clone()).await {
                    Asked::Answered(answer) => return answer,
                    Asked::NotDone => {
                        let other = |standing: &Standing| !matches!(standing, Standing::Up(same) if same.is(&conversation));
                        let _ = standing.wait_for(other).await;
                    }
                    Asked::Unknown => return Err(Refusal::CutOff),
                }
            }
        };
        match tokio::time::timeout(WITHIN, asked).await {
            Ok(answer) => answer,
            Err(_) => {
                tracing::warn!(node = self.0.address, "a node does not answer about media: it is given up");
                self.0.given_up.cancel();
                Err(Refusal::CutOff)
            }
        }
    }

    /// For a caller that does not wait.
    pub(crate) fn tell(&self, ask: Ask) {
        let mut later = self.later();
        match &*self.0.standing.borrow() {
            Standing::Up(conversation) if conversation.send(ask.clone()).is_some() => {}
            Standing::Gone => {}
            _ if later.len() < UNSENT => later.push(ask),
            _ => self.0.given_up.cancel(),
        }
    }

    /// Has producers of the other node here, if they are there. Those that do not come are not found afterwards.
    ///
    /// # Errors
    /// There is no way to it any more.
    pub(crate) async fn watch(&self, producers: Vec<ProducerId>, room: &RoomId) -> Result<(), Error> {
        let conversation = tokio::time::timeout(WITHIN, self.conversation()).await.ok().flatten().ok_or(Error::Stopped)?;
        let mut watched = Vec::new();
        for producer in producers {
            watched.push(self.0.relay.watch(conversation.number(), producer, room.clone()).await?);
        }
        for came in watched {
            let _ = came.await;
        }
        if self.is_gone() { Err(Error::Stopped) } else { Ok(()) }
    }

    fn later(&self) -> MutexGuard<'_, Vec<Ask>> {
        self.0.later.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// What came of a question.
pub(crate) enum Asked {
    Answered(Result<Answer, Refusal>),
    /// It may be asked again.
    NotDone,
    Unknown,
}

/// One connection with a node. Cheap to clone.
#[derive(Clone)]
pub struct Conversation(Arc<Talk>);

struct Talk {
    number: u32,
    out: mpsc::Sender<Word>,
    waiting: Mutex<Waiting>,
    gone: CancellationToken,
}

#[derive(Default)]
struct Waiting {
    /// Who waits for an answer, with what has come of it by now.
    answers: HashMap<u64, (oneshot::Sender<Asked>, Vec<LineQuality>)>,
    next: u64,
    /// The other node answers no more.
    over: bool,
}

impl Conversation {
    pub(super) fn new(number: u32, out: mpsc::Sender<Word>, gone: CancellationToken) -> Self {
        Self(Arc::new(Talk { number, out, waiting: Mutex::default(), gone }))
    }

    /// What it is called here.
    pub(super) fn number(&self) -> u32 {
        self.0.number
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn gone(&self) -> &CancellationToken {
        &self.0.gone
    }

    pub(crate) async fn ask(&self, ask: Ask) -> Asked {
        let Some(answered) = self.send(ask) else { return Asked::NotDone };
        tokio::select! {
            biased;
            answer = answered => answer.unwrap_or(Asked::Unknown),
            () = self.0.gone.cancelled() => Asked::Unknown,
        }
    }

    /// None if it is not asked any more.
    fn send(&self, ask: Ask) -> Option<oneshot::Receiver<Asked>> {
        let mut waiting = self.waiting();
        if waiting.over || self.0.gone.is_cancelled() {
            return None;
        }
        let number = waiting.next;
        if self.0.out.try_send(Word::Ask { number, ask }).is_err() {
            // What it would miss it could not do without.
            self.0.gone.cancel();
            return None;
        }
        waiting.next += 1;
        let (answer, answered) = oneshot::channel();
        waiting.answers.insert(number, (answer, Vec::new()));
        Some(answered)
    }

    pub(super) fn answers(&self, number: u64, part: Vec<LineQuality>) {
        if let Some((_, lines)) = self.waiting().answers.get_mut(&number) {
            lines.extend(part);
        }
    }

    pub(super) fn answered(&self, number: u64, answer: Result<Answer, Refusal>) {
        let Some((waits, mut before)) = self.waiting().answers.remove(&number) else { return };
        let answer = answer.map(|answer| match answer {
            Answer::Quality(lines) => {
                before.extend(lines);
                Answer::Quality(before)
            }
            other => other,
        });
        let _ = waits.send(Asked::Answered(answer));
    }

    /// The other node has answered all that it has done.
    pub(super) fn is_left(&self) {
        let mut waiting = self.waiting();
        waiting.over = true;
        waiting.answers.drain().for_each(|(_, (waits, _))| drop(waits.send(Asked::NotDone)));
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
